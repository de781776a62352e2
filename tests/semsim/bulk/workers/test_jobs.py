"""Jobs on each engine: the same results, and no job lost with a worker."""

import os
import pickle
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from semsim import Scorer
from semsim.bulk.engine import Engine
from semsim.bulk.files import Directories
from semsim.bulk.matching import Match
from semsim.bulk.run import score_directories
from semsim.bulk.workers.jobs import run_jobs
from semsim.client import RemoteScorer
from semsim.commands.options import engine_of
from semsim.exceptions import ErrorCode, InvalidImage, InvalidOption, WorkerLost
from semsim.pairs import PairFailure
from semsim_training.reconstructions.scored_rows import SetChunk
from tests.encoded import picture
from tests.semsim.bulk.pair_tables.written_tables import check_each_pair_once, image, noisy, run, write_parquet

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Job:
    """Work that tells its process, and fails or dies where it is asked to."""

    number: int
    fails: bool = False
    dies: bool = False

    def __call__(self, scorer: Scorer) -> tuple[int, str]:
        """Tell the process and the model."""
        if self.fails:
            raise InvalidImage(f"expected a job, got {self.number}")
        if self.dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return os.getpid(), scorer.manifest.name


def test_processes_take_jobs_as_they_are_free(small_scorer: Scorer) -> None:
    """Two processes do all jobs, at most two a process ahead of the results; an error comes back as it is."""
    taken = []

    def jobs() -> Iterator[Job]:
        for number in range(12):
            taken.append(number)
            yield Job(number)
        yield Job(12, fails=True)

    done: list[int] = []
    with pytest.raises(InvalidImage, match="expected a job, got 12"):
        for job, (process, model) in run_jobs(Engine.PROCESSES, small_scorer, jobs(), 2):
            done.append(job.number)
            assert len(taken) <= len(done) + 4
            assert (process == os.getpid(), model) == (False, "small")
    assert len(set(done)) == len(done) >= 9


def test_a_process_that_is_killed_ends_the_run(small_scorer: Scorer) -> None:
    """Its job has no result, which is told and never taken for done."""
    with pytest.raises(WorkerLost, match="expected worker processes that live"):
        list(run_jobs(Engine.PROCESSES, small_scorer, [Job(1), Job(2, dies=True), Job(3)], 1))


def test_directories_on_processes_give_the_rows_of_one(small_scorer: Scorer, tmp_path: Path) -> None:
    """The rows stand in the order of their pairs, and pairs that the journal holds are not scored again."""
    directories = Directories(tmp_path / "originals", tmp_path / "reconstructions")
    for directory, make in ((directories.originals, image), (directories.reconstructions, noisy)):
        directory.mkdir()
        for i in range(40):
            (directory / f"{i:02}.png").write_bytes(b"no image" if i == 7 else make(i))
    here = score_directories(small_scorer, directories, Match.NAME)
    journal = tmp_path / "journal"
    options = {"engine": Engine.PROCESSES, "workers": 1, "journal_path": journal}
    assert score_directories(small_scorer, directories, Match.NAME, **options) == here
    lines = journal.read_text().splitlines()
    assert len(lines) == 41
    # A run without a worker: the journal holds everything.
    assert score_directories(small_scorer, directories, Match.NAME, **options | {"engine": Engine.HERE}) == here


def test_chunks_of_a_set_travel(small_scorer: Scorer) -> None:
    """Pairs of a set that come from another process have the scores that they have here."""
    failure = PairFailure(ErrorCode.INVALID_DATASET, "expected an original, got none")
    chunk = SetChunk({3: (picture(seed=1), picture(seed=2)), 5: failure})
    travelled = pickle.loads(pickle.dumps(chunk))  # noqa: S301  # made above
    assert travelled(small_scorer) == chunk(small_scorer)
    assert list(travelled.read) == [3]


def test_a_service_has_no_workers_here() -> None:
    """Workers beside a service are refused, by the command and by the library."""
    with pytest.raises(InvalidOption, match="expected --engine here with --url"):
        engine_of("processes", None, "http://127.0.0.1:1")
    with pytest.raises(InvalidOption, match="expected the engine here with a service"):
        run_jobs(Engine.RAY, RemoteScorer.__new__(RemoteScorer), [])


def test_a_cluster_that_loses_a_node_has_one_row_a_pair(
    small_scorer: Scorer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of two nodes is killed in the middle: each pair has one row, and the bytes are those of one process."""
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    source = write_parquet(tmp_path / "pairs.parquet", 150)
    run(small_scorer, source, tmp_path / "here")
    cluster = Cluster()
    with ExitStack() as stack:
        stack.callback(cluster.shutdown)
        try:
            cluster.add_node(num_cpus=1, include_dashboard=False, **ports())
            second = cluster.add_node(num_cpus=1, **ports())
        except Exception as error:  # Ray's own has no name
            if "timed out during startup" not in str(error):
                raise
            pytest.skip("the machine is too busy: a node of Ray gives up after 30 seconds")
        cluster.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", cluster.address)
        lost: list[int] = []

        def kill_once(step: str, done: int, total: int) -> None:
            if done >= 5 and not lost:
                lost.append(done)
                cluster.remove_node(second, allow_graceful=False)

        manifest = run(small_scorer, source, tmp_path / "ray", engine=Engine.RAY, workers=2, progress=kill_once)
        assert not second.any_processes_alive()
    assert lost[0] < manifest.parts_in_all
    check_each_pair_once(tmp_path / "ray", small_scorer, 150)
    for path in (tmp_path / "here").iterdir():
        assert (tmp_path / "ray" / path.name).read_bytes() == path.read_bytes()


def ports() -> dict[str, int]:
    """Free ports for a node's helpers. Without them the node waits 15 seconds for each to tell its own, and dies."""
    names = ("metrics_agent_port", "metrics_export_port", "dashboard_agent_listen_port", "runtime_env_agent_port")
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return {name: one.getsockname()[1] for name, one in zip(names, sockets, strict=True)}
