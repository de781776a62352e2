"""Making a set from a grid: every shard once, whatever interrupts it."""

import hashlib
from pathlib import Path

from semsim.bulk.engine import Engine
from semsim.exceptions import InvalidConfiguration
from semsim.progress import Progress, silent
from semsim_training.observations.observation import Victim
from semsim_training.reconstructions.dataset import DatasetDescription, check_shards, describe, remember_seconds
from semsim_training.reconstructions.engines.running import run_shards
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.plan import ShardPlan, Workload, digest


def generate(
    grid: Grid,
    base: Path,
    out: Path,
    *,
    engine: Engine = Engine.PROCESSES,
    workers: int | None = None,
    device: str = "cpu",
    progress: Progress = silent,
) -> DatasetDescription:
    """Make the set at ``out``, or what is missing of it. Checkpoints' paths are relative to ``base``.

    A finished set is left as it is: its description names the machine and the libraries that made it.

    Raises:
        InvalidConfiguration: ``out`` holds a set of another grid.
        InvalidDataset: ``out`` holds shards that another version of SemSim wrote.
        SemSimError: data, victims or settings that do not go together; nothing has been attacked then.
    """
    workload = Workload(grid, base, device)
    plan = ShardPlan.begun(out)
    if plan is not None and (plan.grid_sha256, plan.device) != (digest(grid), device):
        raise InvalidConfiguration(f"expected an empty directory, or one of the same grid and device, got {out}")
    workload.check()
    if plan is None:
        plan = workload.plan()
        (out / "shards").mkdir(parents=True, exist_ok=True)
        plan.write(out)
    check_shards(out)
    shards = list(workload.shards(plan))
    waiting = [shard for shard in shards if not _path(out, shard.name).exists()]
    total = sum(len(shard.images) for shard in shards)
    done = total - sum(len(shard.images) for shard in waiting)
    progress("reconstructions", done, total)
    if not waiting and (out / DatasetDescription.FILE).exists():
        return DatasetDescription.read(out)
    (out / DatasetDescription.FILE).unlink(missing_ok=True)  # until the set is finished again
    sizes = {shard.name: len(shard.images) for shard in waiting}
    for finished in run_shards(engine, waiting, out / "partial", workers, progress):
        remember_seconds(out, finished.name, finished.seconds)
        fresh = _path(out, finished.name).with_suffix(".new")
        fresh.write_bytes(finished.data)
        fresh.replace(_path(out, finished.name))
        done += sizes[finished.name]
        progress("reconstructions", done, total)
    if (out / "partial").is_dir():
        (out / "partial").rmdir()
    victims = {shard.victim_name: shard.victim for shard in shards}
    return describe(out, grid, {name: weights_sha256(victim) for name, victim in victims.items()})


def weights_sha256(victim: Victim) -> str:
    """A hash of a victim's weights, names included."""
    running = hashlib.sha256()
    for name, value in sorted(victim.model.state_dict().items()):
        running.update(name.encode())
        running.update(value.detach().cpu().contiguous().numpy().tobytes())
    return running.hexdigest()


def _path(out: Path, name: str) -> Path:
    return out / "shards" / f"{name}.parquet"
