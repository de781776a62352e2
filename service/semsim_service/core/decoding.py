"""Where requests are prepared: small ones and large ones in lanes of their own, large pictures in processes.

A request begins among the small ones. If it asks for more than a fair share there, it begins again among the large
ones, whose threads have a lower priority. So small requests go on beside any number of large ones, and pay nothing for
it: their pictures are decoded in the thread. A large picture is decoded where it can be killed.
"""

import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

from semsim.exceptions import RequestError, RequestTimeout
from semsim.images import DecodeLimits, RGBImage, decode
from semsim.stages import Pause
from semsim_service.core.call import Call
from semsim_service.core.lane import Lane
from semsim_service.core.picture_decoder import PictureDecoder
from semsim_service.core.received import ImageInput

_Result = TypeVar("_Result")

Decode = Callable[[ImageInput], RGBImage]

SMALL_PICTURE_PIXELS = 2**20
SMALL_PICTURE_BYTES = 2**22
"""A picture within both takes milliseconds, and 0.4 s of processor time at most, of whatever format (measured)."""
_SMALL_PROFILE_BYTES = 2**14
_SMALL_LOSSLESS_PIXELS, _TINY_LOSSLESS_PIXELS = 2**16, 2**12
"""The colour profile that a small picture may have, and the sizes of a small and a tiny lossless WebP."""
SMALL_REQUEST_BYTES = 2**21
SMALL_REQUEST_SECONDS = 0.25
"""The bytes of the body of a small request, and the processor time that its decoding and its pixel metrics take."""
_NICENESS = 5
AT_ONCE_BYTES = 2**16
"""The bytes of the body of a request that may be prepared in the event loop: one pair of tiny pictures."""
_TINY_PICTURE_PIXELS = 2**15
_AT_ONCE_SECONDS = 0.01


class TakesLonger(RequestError):
    """A request, or a picture, is larger than the small ones among which it is."""


class _SmallPictures(DecodeLimits):
    """The limits of one image, and the sizes past which it is no small picture."""

    __slots__ = ()

    def require_bytes(self, size: int) -> None:
        """Refuse what is too large, or not small."""
        super().require_bytes(size)
        if size > SMALL_PICTURE_BYTES:
            raise TakesLonger("a large picture")

    def require_size(self, width: int, height: int) -> None:
        """Refuse what is too large, or not small."""
        super().require_size(width, height)
        if width * height > SMALL_PICTURE_PIXELS:
            raise TakesLonger("a large picture")

    def require_profile(self, size: int) -> None:
        """Refuse a profile with large tables, from which Little CMS makes larger ones."""
        if size > _SMALL_PROFILE_BYTES:
            raise TakesLonger("a large profile")

    def require_lossless(self, width: int, height: int) -> None:
        """Refuse a lossless WebP that may have many sets of codes."""
        if width * height > _SMALL_LOSSLESS_PIXELS:
            raise TakesLonger("a large lossless WebP")


class _TinyPictures(_SmallPictures):
    """The limits of one image, and the size past which it is no tiny picture."""

    __slots__ = ()

    def require_size(self, width: int, height: int) -> None:
        """Refuse what is too large, or not tiny."""
        super().require_size(width, height)
        if width * height > _TINY_PICTURE_PIXELS:
            raise TakesLonger("no tiny picture")

    def require_profile(self, size: int) -> None:
        """Refuse every profile."""
        raise TakesLonger("a profile")

    def require_lossless(self, width: int, height: int) -> None:
        """Refuse a lossless WebP that is not tiny itself."""
        if width * height > _TINY_LOSSLESS_PIXELS:
            raise TakesLonger("no tiny lossless WebP")


class Decoding:
    """The lanes and the processes.

    Args:
        threads: the number of small requests that are prepared at once. There is one thread more for large ones, so
            that a single one of them does not hold up the others.
        limits: the limits of one image.
    """

    def __init__(self, threads: int, limits: DecodeLimits) -> None:
        self._limits = limits
        self._small_pictures = _SmallPictures(limits.max_bytes, limits.max_pixels)
        self._tiny_pictures = _TinyPictures(limits.max_bytes, limits.max_pixels)
        self.threads = 2 * threads + 1
        """The number of threads that prepare requests."""
        self._small = Lane("decode", threads)
        self._large = Lane("decode large", threads + 1)
        self._local = threading.local()
        self._decoders: list[PictureDecoder] = []
        self._closing = False

    async def run(self, call: Call, work: Callable[[Decode, Pause], _Result]) -> _Result:
        """The result of ``work``, which decodes with the first function that it is given, and calls the second often.

        It may be begun twice. It is ended, by an error in the second function, when the request is over.
        """
        if call.bytes <= SMALL_REQUEST_BYTES:
            call.timings.begin_wait(time.monotonic())
            with suppress(TakesLonger):
                return await self._small.run(lambda: self._small_work(call, work), call.deadline)
        call.timings.begin_wait(time.monotonic())
        return await self._large.run(lambda: self._large_work(call, work), call.deadline)

    def run_here(self, work: Callable[[Decode, Pause], _Result]) -> _Result:
        """The result of ``work`` of a request that is known to be little."""
        return work(lambda source: decode(source, limits=self._limits), lambda: None)

    def run_at_once(self, work: Callable[[Decode, Pause], _Result]) -> _Result | None:
        """The result of ``work``, which decodes encoded pictures, done here; None where it is more than a little work.

        A hostile picture, or many pairs where one seemed to be, hold up the event loop for some milliseconds.
        """
        end = time.thread_time() + _AT_ONCE_SECONDS

        def pause() -> None:
            if time.thread_time() > end:
                raise TakesLonger("more than a little work")

        with suppress(TakesLonger):
            return work(lambda source: decode(source, limits=self._tiny_pictures), pause)
        return None

    @property
    def busy(self) -> int:
        """The number of threads that prepare a request."""
        return self._small.busy + self._large.busy

    @property
    def is_stuck(self) -> bool:
        """True where no small request, or no large one, can be prepared any more."""
        return self._small.is_stuck or self._large.is_stuck

    def close(self, seconds: float) -> bool:
        """End the work, the threads and the processes. Returns False where a thread goes on after so many seconds."""
        self._closing = True
        for decoder in self._decoders:
            decoder.close()
        deadline = time.monotonic() + seconds
        ended = [lane.close(max(0.0, deadline - time.monotonic())) for lane in (self._small, self._large)]
        for decoder in self._decoders:
            decoder.kill()
        return all(ended)

    def _small_work(self, call: Call, work: Callable[[Decode, Pause], _Result]) -> _Result:
        end = time.thread_time() + SMALL_REQUEST_SECONDS

        def pause() -> None:
            self._require_wanted(call)
            if time.thread_time() > end:
                raise TakesLonger("a large request")

        def decode_here(source: ImageInput) -> RGBImage:
            pause()
            return decode(source, limits=self._small_pictures)

        return work(decode_here, pause)

    def _large_work(self, call: Call, work: Callable[[Decode, Pause], _Result]) -> _Result:
        decoder = self._decoder_of_this_thread()

        def pause() -> None:
            self._require_wanted(call)

        def decode_anywhere(source: ImageInput) -> RGBImage:
            pause()
            if not isinstance(source, bytes):
                return decode(source, limits=self._limits)
            with suppress(TakesLonger):
                return decode(source, limits=self._small_pictures)
            return decoder.decode(source, self._limits, max(0.01, call.deadline - time.monotonic()), pause)

        return work(decode_anywhere, pause)

    def _decoder_of_this_thread(self) -> PictureDecoder:
        """The decoder of this thread."""
        decoder: PictureDecoder | None = getattr(self._local, "decoder", None)
        if decoder is None:
            decoder = self._local.decoder = PictureDecoder()
            self._decoders.append(decoder)
            with suppress(OSError):
                os.nice(_NICENESS)  # on Linux of this thread alone, and of the process that it starts
        return decoder

    def _require_wanted(self, call: Call) -> None:
        call.require_wanted()
        if self._closing:
            raise RequestTimeout("the service stops")
