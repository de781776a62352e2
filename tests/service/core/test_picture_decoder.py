"""Large pictures are decoded in a process, which can be killed at any moment."""

import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Iterator

import numpy as np
import psutil
import pytest

from semsim.exceptions import CorruptImage, InvalidImage, RequestTimeout, TooManyPixels, TruncatedImage
from semsim.images import DecodeLimits, decode
from semsim_service.core.picture_decoder import DecoderEnded, PictureDecoder
from semsim_service.core.picture_process import ANSWER
from tests.encoded import encode, picture
from tests.semsim.images.test_colour_profile import profile

LIMITS = DecodeLimits()
DATA = encode(picture(64, 80))
PATIENCE = 60.0


def nothing() -> None:
    """The pause of work that nobody ends."""


@pytest.fixture
def decoder() -> Iterator[PictureDecoder]:
    """A decoder whose process runs."""
    decoder = PictureDecoder()
    decoder.decode(DATA, LIMITS, PATIENCE, nothing)
    yield decoder
    decoder.close()
    decoder.kill()


def process(decoder: PictureDecoder) -> psutil.Process:
    """The process of a decoder."""
    (child,) = [
        child
        for child in psutil.Process().children()
        if child.pid == decoder._process.pid  # type: ignore[union-attr]
    ]
    return child


def test_a_colour_profile_is_applied_in_the_process(decoder: PictureDecoder) -> None:
    """A profile changes the colours there as it does here; one that cannot be read is refused, by a living process."""
    data = encode(picture(64, 80), icc_profile=profile())
    decoded = decoder.decode(data, LIMITS, PATIENCE, nothing)
    np.testing.assert_array_equal(decoded, decode(data))
    assert (decoded != picture(64, 80)).any()
    with pytest.raises(CorruptImage, match="colour profile"):
        decoder.decode(encode(picture(64, 80), icc_profile=b"no profile"), LIMITS, PATIENCE, nothing)
    np.testing.assert_array_equal(decoder.decode(DATA, LIMITS, PATIENCE, nothing), picture(64, 80))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_the_pixels_are_those_of_the_decoder(decoder: PictureDecoder, kind: str) -> None:
    """A picture is the same in the process and here, and its memory outlives the process."""
    data = encode(picture(300, 500), kind)
    pixels = decoder.decode(data, LIMITS, PATIENCE, nothing)
    decoder.kill()
    np.testing.assert_array_equal(pixels, decode(data))


def test_an_error_is_that_of_the_decoder(decoder: PictureDecoder) -> None:
    """A picture that cannot be used has the class and the words that it has here. The process goes on."""
    child = process(decoder)
    for data, limits, kind in (
        (DATA[:-20], LIMITS, TruncatedImage),
        (DATA, DecodeLimits(max_pixels=64), TooManyPixels),
    ):
        with pytest.raises(InvalidImage) as expected:
            decode(data, limits=limits)
        with pytest.raises(kind) as got:
            decoder.decode(data, limits, PATIENCE, nothing)
        assert str(got.value) == str(expected.value)
    assert process(decoder) == child


def test_a_decoder_that_hangs_is_killed_when_nobody_waits(decoder: PictureDecoder) -> None:
    """A process that does not answer is gone once a pause raises an error, and the next picture has a new one."""
    child = process(decoder)
    child.suspend()
    ends = time.monotonic() + 0.2

    def pause() -> None:
        if time.monotonic() > ends:
            raise RequestTimeout("the request is over")

    with pytest.raises(RequestTimeout):
        decoder.decode(encode(np.zeros((2048, 2048, 3), dtype=np.uint8)) + bytes(2**22), LIMITS, PATIENCE, pause)
    assert not child.is_running()
    np.testing.assert_array_equal(decoder.decode(DATA, LIMITS, PATIENCE, nothing), decode(DATA))


def test_the_process_ends_by_itself_at_its_time(decoder: PictureDecoder) -> None:
    """The kernel ends it in the middle of a picture, even if the service does nothing."""
    child = process(decoder)
    with pytest.raises(RequestTimeout):
        decoder.decode(encode(np.zeros((4096, 4096, 3), dtype=np.uint8)), LIMITS, 0.05, nothing)
    assert not child.is_running()


def test_a_process_that_dies_is_told(decoder: PictureDecoder) -> None:
    """A crash, or the system's killer of processes, is neither a timeout nor a fault of the picture."""
    child = process(decoder)
    child.suspend()
    threading.Timer(0.2, lambda: os.kill(child.pid, signal.SIGKILL)).start()
    with pytest.raises(DecoderEnded, match="exit status -9"):
        decoder.decode(DATA, LIMITS, PATIENCE, nothing)
    np.testing.assert_array_equal(decoder.decode(DATA, LIMITS, PATIENCE, nothing), decode(DATA))


def test_a_process_that_died_before_is_replaced(decoder: PictureDecoder) -> None:
    """A picture does not fail for what happened between two."""
    process(decoder).kill()
    process(decoder).wait()
    np.testing.assert_array_equal(decoder.decode(DATA, LIMITS, PATIENCE, nothing), decode(DATA))


def test_memory_that_could_be_cut_later_is_refused(decoder: PictureDecoder) -> None:
    """A picture that takes the process over cannot end the service by taking away the pixels that it reads."""
    process(decoder).suspend()
    decoder._connection.close()  # type: ignore[union-attr]
    decoder._connection, hostile = socket.socketpair()
    with hostile, tempfile.TemporaryFile() as file:
        file.truncate(8 * 8 * 3)
        socket.send_fds(hostile, [ANSWER.pack(8, 8, 0)], [file.fileno()])
        with pytest.raises(DecoderEnded):
            decoder.decode(DATA, LIMITS, PATIENCE, nothing)
    np.testing.assert_array_equal(decoder.decode(DATA, LIMITS, PATIENCE, nothing), decode(DATA))


def test_the_process_has_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """A picture that takes the process over finds none of the service's settings."""
    monkeypatch.setenv("SEMSIM_AUTH__TOKEN", "a-token-that-nobody-guesses")
    decoder = PictureDecoder()
    decoder.decode(DATA, LIMITS, PATIENCE, nothing)
    assert not [name for name in process(decoder).environ() if name.startswith("SEMSIM_")]
    decoder.close()
    decoder.kill()


def test_no_process_outlives_the_connection(decoder: PictureDecoder) -> None:
    """A service that is killed closes its sockets; its decoders end then."""
    child = process(decoder)
    decoder._connection.close()  # type: ignore[union-attr]
    child.wait(PATIENCE)
