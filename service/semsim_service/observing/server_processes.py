"""The memory, processor time, files and connections of a server's processes, as metrics made at each scrape.

``prometheus_client`` leaves ``process_*`` out where several processes share their numbers.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

import psutil  # type: ignore[import-untyped]
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from semsim_service.core.call import Transport
from semsim_service.observing.cgroup import memory_limit


@dataclass
class _Sums:
    """The numbers of all processes together."""

    cpu_seconds: float = 0.0
    resident_bytes: int = 0
    open_files: int = 0
    """The open files of the process that has most."""
    most_files: int = 0
    """The number of files that this process may have."""
    connections: dict[Transport, int] = field(default_factory=lambda: dict.fromkeys(Transport, 0))


class ServerProcesses:
    """A collector of the metrics of a supervisor and of all processes below it.

    Args:
        supervisor: the supervisor's process number.
        grpc_port: the port of gRPC; connections to any other port are HTTP's.
    """

    def __init__(self, supervisor: int, grpc_port: int) -> None:
        self._supervisor = supervisor
        self._grpc_port = grpc_port

    def collect(self) -> Iterator[Metric]:
        """The metrics. There are none where the supervisor is gone."""
        with suppress(psutil.NoSuchProcess):
            supervisor = psutil.Process(self._supervisor)
            yield from self._families(supervisor.create_time(), self._sums(supervisor))

    def _sums(self, supervisor: psutil.Process) -> _Sums:
        sums = _Sums()
        for process in [supervisor, *supervisor.children(recursive=True)]:
            with suppress(psutil.Error):  # it has ended meanwhile, or is another user's
                times = process.cpu_times()
                # A process that has ended counts among its parent's children, so that the sum never falls.
                sums.cpu_seconds += times.user + times.system + times.children_user + times.children_system
                sums.resident_bytes += process.memory_info().rss
                files = process.num_fds()
                if files > sums.open_files:
                    sums.open_files, sums.most_files = files, process.rlimit(psutil.RLIMIT_NOFILE)[0]
                self._count_connections(process, sums.connections)
        return sums

    def _count_connections(self, process: psutil.Process, counts: dict[Transport, int]) -> None:
        connections = process.net_connections("tcp")
        own = {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}
        for connection in connections:
            if connection.status == psutil.CONN_ESTABLISHED and connection.laddr.port in own:
                counts[Transport.GRPC if connection.laddr.port == self._grpc_port else Transport.HTTP] += 1

    @staticmethod
    def _families(began: float, sums: _Sums) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "process_cpu_seconds_total", "Processor seconds of the supervisor and all workers.", sums.cpu_seconds
        )
        for name, text, value in (
            ("process_resident_memory_bytes", "Resident bytes of the supervisor and all workers.", sums.resident_bytes),
            ("process_open_fds", "Open files of the process that has most of them.", sums.open_files),
            ("process_max_fds", "Files that this process may have open.", sums.most_files),
            ("process_start_time_seconds", "The time when the supervisor started, in seconds of Unix time.", began),
        ):
            yield GaugeMetricFamily(name, text, value)
        if (limit := memory_limit()) is not None:
            yield GaugeMetricFamily("semsim_memory_limit_bytes", "The memory limit of the control group.", limit)
        family = GaugeMetricFamily("semsim_connections", "Open connections by transport.", labels=["transport"])
        for transport, count in sums.connections.items():
            family.add_metric([transport.value], count)
        yield family
