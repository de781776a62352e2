"""Attacks by pictures and bodies cost a real service little memory, and hold up neither others nor its stop."""

import signal
import statistics
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
import pytest

from benchmarks.harness.metrics import scrape
from benchmarks.harness.server import running, semsim_serve
from tests.encoded import encode, picture, png_chunk
from tests.hostile_codecs import profile_of_many_steps, webp_of_many_codes
from tests.semsim.images.damaging import JPEG_END, scans
from tests.service.live import LiveService, base64_pair, serving, wait_until

pytestmark = pytest.mark.slow

MOST_GROWTH = 64 * 2**20
"""Bytes of anonymous memory of the process that answers."""
ANSWER_SECONDS = 1.0
SECONDS = 12
"""The time of a request, seconds."""
SOME = encode(picture(64, 64))
SMALL = base64_pair(encode(picture(32, 32, seed=1)), encode(picture(32, 32, seed=2)))


def flat(height: int, width: int, level: int) -> bytes:
    """A picture of one colour."""
    return encode(np.full((height, width, 3), level, dtype=np.uint8), compress_level=1)


def empty_scans() -> list[dict[str, object]]:
    """A JPEG of thousands of scans."""
    progressive = encode(np.full((4096, 4096, 3), 99, dtype=np.uint8), "JPEG", progressive=True)
    last = progressive[scans(progressive)[-1] : -2]
    return [base64_pair(progressive[:-2] + last * 5000 + JPEG_END, SOME)]


def most_scans() -> list[dict[str, object]]:
    """JPEGs with all the scans that one may have."""
    progressive = encode(np.full((4096, 4096, 3), 99, dtype=np.uint8), "JPEG", progressive=True)
    last = progressive[scans(progressive)[-1] : -2]
    data = progressive[:-2] + last * 22 + JPEG_END
    return [base64_pair(data + bytes(i), SOME) for i in range(7)]


@cache
def flat_pairs() -> list[dict[str, object]]:
    """Seven pairs of the largest pictures that one request may have."""
    return [base64_pair(flat(4096, 4096, 9 * i), flat(4096, 4096, 9 * i + 4)) for i in range(7)]


def many_steps() -> list[dict[str, object]]:
    """Tiny PNGs with a profile that names one step of its conversion 40,000 times."""
    body = b"p\0\0" + zlib.compress(profile_of_many_steps(40_000))
    return [base64_pair(SOME[:33] + png_chunk(b"iCCP", body) + SOME[33:] + bytes(i), SOME) for i in range(4)]


def many_codes() -> list[dict[str, object]]:
    """Lossless WebPs of half a megabyte with 65,536 sets of codes."""
    return [base64_pair(webp_of_many_codes() + bytes(2 * i), SOME) for i in range(4)]


def many_blanks() -> list[dict[str, object]]:
    """Base64 of which a third is blanks, which tools put between lines."""
    return [{"original": "AB " * 2_000_000, "reconstruction": ""}]


def many_chunks() -> list[dict[str, object]]:
    """A PNG of 700,000 empty chunks."""
    return [base64_pair(SOME[:33] + png_chunk(b"tEXt", b"") * 700_000 + SOME[33:], SOME)]


ATTACKS: dict[str, Callable[[], list[dict[str, object]]]] = {
    "thousands of empty scans": empty_scans,
    "the most scans": most_scans,
    "seven flat pairs": flat_pairs,
    "700,000 chunks": many_chunks,
    "40,000 steps of a profile": many_steps,
    "65,536 sets of codes": many_codes,
    "blanks in base64": many_blanks,
    "long pictures": lambda: [base64_pair(flat(64, 262144, 20), flat(64, 262144, 90))],
    "high pictures": lambda: [base64_pair(flat(262144, 64, 20), flat(262144, 64, 90))],
}
FORM_BYTES = 12 * 2**20
FORM_START = b'--b\r\nContent-Disposition: form-data; name="original"; filename="f"\r\n\r\n'
FORM_END = b"\r\n--b--\r\n"
FORMS = {
    "two million boundaries": FORM_START + b"\r\n--bX" * (FORM_BYTES // 6) + FORM_END,
    "a boundary of twelve million blanks": FORM_START + b"\r\n--b" + b" " * FORM_BYTES + FORM_END,
}
"""Multipart bodies, each byte of which would cost the parser time."""


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, small_artifact: Path) -> Iterator[LiveService]:
    """A service with one thread for small requests."""
    settings = {
        "SEMSIM_ARTIFACT": str(small_artifact),
        "SEMSIM_DECODE_THREADS": "1",
        "SEMSIM_REQUEST_SECONDS": str(SECONDS),
    }
    with serving(tmp_path_factory.mktemp("attacked"), semsim_serve(), **settings) as live:
        yield live


def worker(service: LiveService) -> psutil.Process:
    """The process that answers."""
    children = psutil.Process(service.process).children(recursive=True)
    (answering,) = [child for child in children if "_bentoml_impl.worker.service" in " ".join(child.cmdline())]
    return answering


@contextmanager
def watching(process: psutil.Process) -> Iterator[list[int]]:
    """The anonymous bytes of a process, again and again in the block."""
    seen: list[int] = []
    over = threading.Event()

    def watch() -> None:
        while not over.is_set():
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            seen.append(next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024)
            over.wait(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def small_seconds(service: LiveService, client: httpx.Client) -> float:
    """The seconds of a small request."""
    began = time.monotonic()
    assert client.post(f"{service.url}/score", json={"pairs": [SMALL]}).status_code == 200
    return time.monotonic() - began


def asked(name: str) -> dict[str, Any]:
    """An attack, as httpx takes it."""
    if name in FORMS:
        return {"content": FORMS[name], "headers": {"content-type": "multipart/form-data; boundary=b"}}
    return {"json": {"pairs": ATTACKS[name]()}}


@pytest.mark.parametrize("name", [*ATTACKS, *FORMS])
def test_an_attack_costs_little_and_holds_up_nobody(attacked: LiveService, name: str) -> None:
    """Memory grows by less than 64 MiB, and small requests beside it are answered within a second."""
    attack = asked(name)
    with httpx.Client(timeout=60) as client, ThreadPoolExecutor(2) as pool:
        alone = [small_seconds(attacked, client) for _ in range(10)]
        with watching(worker(attacked)) as memory:
            # A body of 11 MB is in memory three times while it is read, whatever it holds: one of them is the attack.
            times = 1 if name in ("700,000 chunks", *FORMS) else 2
            sent = [pool.submit(httpx.post, f"{attacked.url}/score", timeout=60, **attack) for _ in range(times)]
            if name not in FORMS:  # a form is read within that time, and nobody would ask beside it
                time.sleep(0.2)
            beside = [small_seconds(attacked, client)]
            while not all(each.done() for each in sent) and len(beside) < 200:
                beside.append(small_seconds(attacked, client))
        # A machine that is busy with other things is slow alone, too.
        assert max(beside) < max(ANSWER_SECONDS, 20 * statistics.median(alone)), (alone, beside)
        assert {each.result().status_code for each in sent} <= ({400, 413} if name in FORMS else {200, 504})
        assert client.get(f"{attacked.url}/readyz").status_code == 200
    grown = max(memory) - memory[0]
    print(f"{name}: {grown / 2**20:.0f} MiB, at most {max(beside):.2f} s beside it, {max(alone):.2f} s alone")
    assert grown < MOST_GROWTH


def test_large_pictures_at_sigterm_are_scored(tmp_path: Path, small_artifact: Path) -> None:
    """A stop takes no process away from a request that is accepted, also where all processes get the signal."""
    body = {"pairs": flat_pairs()[:1]}
    with (
        running(semsim_serve(), tmp_path, {"SEMSIM_ARTIFACT": str(small_artifact)}) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        sent = [pool.submit(httpx.post, f"{server.url}/score", json=body, timeout=60) for _ in range(2)]
        everybody = psutil.Process(server.process.pid)
        wait_until(lambda: len(decoders_of(everybody)) == 2)
        server.process.send_signal(signal.SIGTERM)
        for decoder in decoders_of(everybody):  # as systemd does
            decoder.send_signal(signal.SIGTERM)
        results = [one for each in sent for one in each.result().json()["results"]]
        server.process.wait(30)
    assert ["distance" in one for one in results] == [True] * 2
    assert b"DecoderEnded" not in (tmp_path / "service.log").read_bytes()


def decoders_of(server: psutil.Process) -> list[psutil.Process]:
    """The processes that decode pictures, of a server."""
    return [child for child in server.children(recursive=True) if "picture_process" in " ".join(child.cmdline())]


def test_a_service_that_decodes_ends_at_sigterm(tmp_path: Path, small_artifact: Path) -> None:
    """A stop ends after the time of a request and some seconds, whatever is decoded, and leaves no process."""
    settings = {"SEMSIM_ARTIFACT": str(small_artifact), "SEMSIM_REQUEST_SECONDS": "4", "SEMSIM_DECODE_THREADS": "1"}
    body = {"pairs": flat_pairs()}
    with running(semsim_serve(), tmp_path, settings) as server, ThreadPoolExecutor(3) as pool:
        sent = [pool.submit(httpx.post, f"{server.url}/score", json=body, timeout=60) for _ in range(3)]
        whole = psutil.Process(server.process.pid)
        wait_until(lambda: bool(decoders_of(whole)))
        # What the service has not read by SIGTERM it may close without an answer.
        admitted = len(sent) * len(body["pairs"])
        wait_until(
            lambda: scrape(server.port).gauge("semsim_queue_pairs") >= admitted or any(each.done() for each in sent)
        )
        everybody = [whole, *whole.children(recursive=True)]
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(30)
        assert time.monotonic() - began < 2 * 4 + 10
        assert not psutil.wait_procs(everybody, timeout=5)[1]
        assert {each.result().status_code for each in sent} <= {200, 503, 504}
