"""The memory that a server may take with its settings, against the memory limit of its control group."""

import logging

from semsim_service.settings import Settings

logger = logging.getLogger("semsim.service")

_MIB = 2**20
# Measured, rounded up: the supervisor, and a worker with the bundled model that has scored small requests.
_SUPERVISOR_BYTES = 128 * _MIB
_WORKER_BYTES = 384 * _MIB
_SPARE_BYTES = 112 * _MIB
# Measured, rounded up: the process for little requests, with the bundled model and the most pixels that wait in it. A
# GPU has none, which is not known here.
_SCORING_PROCESS_BYTES = 192 * _MIB
# Measured, rounded up: the network of LPIPS, and a pair of the most pixels that it takes.
_LPIPS_BYTES, _LPIPS_PAIR_BYTES = 64 * _MIB, 144 * _MIB
# A body, and as JSON the images that were decoded from its base64, and its text.
_BODY_COPIES = 3
# What a thread of the large requests and its process take at a picture: 22 bytes a pixel in the process, and in the
# worker this picture and two that may come again, of three bytes a pixel. Each picture counts in request_pixels, too.
_PIXEL_BYTES = 22 + 3 * 3
# The rest of a decoding thread, large or small: arithmetic, small pictures, and an idle process.
_THREAD_BYTES = 64 * _MIB


def memory_need(settings: Settings) -> int:
    """The most bytes that a server's processes take where every request is as large as its settings allow."""
    small, large = settings.decode_threads, settings.decode_threads + 1
    worker = (
        _WORKER_BYTES
        + _BODY_COPIES * settings.queue.bytes
        + (small + large) * _THREAD_BYTES
        + large * min(settings.limits.image_pixels, settings.limits.request_pixels) * _PIXEL_BYTES
        + settings.cache_bytes
    )
    if settings.scoring_process and settings.lpips is None:
        worker += _SCORING_PROCESS_BYTES + settings.cache_bytes
    if settings.lpips is not None:
        worker += _LPIPS_BYTES + (small + large) * _LPIPS_PAIR_BYTES
    return _SUPERVISOR_BYTES + settings.workers * worker + settings.spare_worker * _SPARE_BYTES


def tell_memory_need(settings: Settings, limit: int | None) -> None:
    """Write a line to the log where the largest requests may take more than ``limit``, in bytes; None = no limit."""
    need = memory_need(settings)
    if limit is not None and limit < need:
        logger.warning(
            "the memory limit of %d MiB is below the %d MiB that the largest requests of these settings may take: the "
            "kernel may kill workers. Lower limits.image_pixels, queue.bytes, decode_threads or workers",
            limit // _MIB,
            need // _MIB,
        )
