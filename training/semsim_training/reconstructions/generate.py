"""Making a set from a grid: every shard once, whatever interrupts it."""

from collections.abc import Mapping
from pathlib import Path

from semsim.bulk.engine import Engine
from semsim.exceptions import InvalidConfiguration
from semsim.progress import Progress, silent
from semsim_training.reconstructions.dataset import DatasetDescription, check_shards, describe, remember_seconds
from semsim_training.reconstructions.engines.running import run_shards
from semsim_training.reconstructions.grid import Grid
from semsim_training.reconstructions.grid_inputs import refuse_others, weights_sha256
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
        InvalidConfiguration: ``out`` holds a set of another grid, of other victims or images, or what another version
            of SemSim began.
        InvalidDataset: ``out`` holds a part of a set, with columns of another version of SemSim.
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
    shards = list(workload.shards(plan))
    waiting = [shard for shard in shards if not _path(out, shard.name).exists()]
    finished = not waiting and (out / DatasetDescription.FILE).exists()
    weights = {name: weights_sha256(victim) for name, victim in {one.victim_name: one.victim for one in shards}.items()}
    _check_inputs(workload, plan, out, weights, finished)
    if not finished:  # a finished set may have the columns of an earlier version
        check_shards(out)
    total = sum(len(shard.images) for shard in shards)
    done = total - sum(len(shard.images) for shard in waiting)
    progress("reconstructions", done, total)
    if finished:
        return DatasetDescription.read(out)
    (out / DatasetDescription.FILE).unlink(missing_ok=True)  # until the set is finished again
    sizes = {shard.name: len(shard.images) for shard in waiting}
    for shard in run_shards(engine, waiting, out / "partial", workers, progress):
        remember_seconds(out, shard.name, shard.seconds)
        fresh = _path(out, shard.name).with_suffix(".new")
        fresh.write_bytes(shard.data)
        fresh.replace(_path(out, shard.name))
        done += sizes[shard.name]
        progress("reconstructions", done, total)
    if (out / "partial").is_dir():
        (out / "partial").rmdir()
    return describe(out, grid, weights)


def _check_inputs(workload: Workload, plan: ShardPlan, out: Path, weights: Mapping[str, str], finished: bool) -> None:
    """Refuse victims, images or a version of SemSim that are not those of the set.

    A finished set may come from elsewhere, where random weights are rounded otherwise: untrained victims, which the
    grid itself describes, are not compared. Nor is the version, which the set's description names.
    """
    files = {name for name, victim in workload.grid.victims.items() if victim.checkpoint is not None}
    if (out / DatasetDescription.FILE).exists():
        described = DatasetDescription.read(out).victims
        refuse_others(out, "victim", {name: described[name] for name in described if name in files}, weights)
    if plan.inputs is None:
        return
    known, now = plan.inputs, workload.inputs()
    compared = {name: known.victims[name] for name in known.victims if name in files or not finished}
    refuse_others(out, "victim", compared, now.victims)
    refuse_others(out, "images", known.images, now.images)
    if not finished and known.semsim != now.semsim:
        raise InvalidConfiguration(
            f"expected SemSim {known.semsim}, which began the set in {out}, got {now.semsim}: begin in another "
            "directory"
        )


def _path(out: Path, name: str) -> Path:
    return out / "shards" / f"{name}.parquet"
