"""Messages on their way from callers with a token have a bound all together."""

import struct
import threading
import time

import numpy as np

from semsim import Scorer
from semsim_service.core.metrics import ServiceMetrics
from tests.encoded import picture
from tests.service.grpc_transport.attacking import Attacker
from tests.service.grpc_transport.running import PATIENCE, raw_batch, running

_MIB = 2**20
_SCORE = b"/semsim.v1.Scorer/Score"
_IMAGES = np.stack([picture(seed=seed) for seed in range(2)])


def test_messages_on_their_way_have_the_room_of_the_queue(small_scorer: Scorer, metrics: ServiceMetrics) -> None:
    """Where all have no room, those of the connection that has sent most are refused, and others come to their end."""
    begin, part = struct.pack(">BI", 0, 4 * _MIB), 2 * _MIB + _MIB // 2
    limits = {"body_bytes": 4 * _MIB}
    with running(small_scorer, metrics, limits=limits, queue={"bytes": 8 * _MIB}) as server:
        attackers = [Attacker(server.address) for _ in range(3)]
        for attacker, calls in zip(attackers, (1, 1, 2), strict=True):
            attacker.listen()
            for _ in range(calls):
                attacker.call(_SCORE, begin)
        sizes = (part, part, 2 * part)
        threads = [
            threading.Thread(target=attacker.pour, args=(10.0, 0, size))
            for attacker, size in zip(attackers, sizes, strict=True)
        ]
        for thread in threads:
            thread.start()
        request = raw_batch(_IMAGES, _IMAGES)
        assert server.scorer.Score(request).summary.pairs == 2
        for thread in threads:
            thread.join()
        end = time.monotonic() + PATIENCE
        while len(attackers[2].statuses) < 2 and time.monotonic() < end:
            attackers[2].listen()  # the first of what comes may be room in the windows alone
        refused = [sum(b"overloaded" in status for status in attacker.statuses) for attacker in attackers]
        assert refused == [0, 0, 2]
        assert server.scorer.Score(request).summary.pairs == 2
        for attacker in attackers:
            attacker.close()
