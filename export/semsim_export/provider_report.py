"""Execution providers beside the CPU, step by step, within a time: variants of sessions, and their report."""

import multiprocessing
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from semsim.providers import CPUOptions, CUDAOptions, Provider, ProviderSettings, TensorRTOptions
from semsim_export.provider_sessions import (
    BATCHES,
    DistanceAgreement,
    KnownDistances,
    ProviderRate,
    SessionVariant,
    measure_variant,
)
from semsim_training.markdown import records_table, write_between

MARK = "gpu"
ONE_CORE = ProviderSettings(order=(Provider.CPU,), cpu=CPUOptions(threads=1))
_CUDA = ProviderSettings(order=(Provider.CUDA,), required=Provider.CUDA)
_EXACT = _CUDA.model_copy(update={"cuda": CUDAOptions(tf32=False)})
_ENGINE = ProviderSettings(order=(Provider.TENSORRT,), required=Provider.TENSORRT)
_ENGINE_TF32 = _ENGINE.model_copy(update={"tensorrt": TensorRTOptions(fp16=False)})
CORE = SessionVariant("CPU, one core", ONE_CORE)
DEFAULT = SessionVariant("CUDA, tf32: the default", _CUDA)
FIRST = (
    CORE,
    DEFAULT,
    SessionVariant("CUDA, fp32", _EXACT),
    SessionVariant("CUDA, tf32, CUDA graphs", _CUDA, cuda_graphs=True),
    SessionVariant("CUDA, fp16", _CUDA, half=True),
    SessionVariant("CUDA, fp16, CUDA graphs", _CUDA, half=True, cuda_graphs=True),
)
LAST = (SessionVariant("TensorRT, tf32", _ENGINE_TF32), SessionVariant("TensorRT, fp16", _ENGINE))


@dataclass(slots=True)
class ProviderRun:
    """All that was measured so far, and where it is written."""

    heading: str
    page: Path | None
    """The page that keeps the report after every step."""
    agreements: dict[str, DistanceAgreement] = field(default_factory=dict)
    rates: dict[str, dict[int, ProviderRate]] = field(default_factory=dict)
    served: dict[str, dict[str, str]] = field(default_factory=dict)
    """Pairs a second of the service by load and form."""
    notes: list[str] = field(default_factory=list)
    """The steps that were left out or failed, each with the reason."""

    def keep(self, last: object) -> None:
        """Print what came last, and write all into the page."""
        print(last, flush=True)
        if self.page is not None:
            write_between(self.page, MARK, self.text())

    def text(self) -> str:
        """The report, as Markdown."""
        core = self.rates.get(CORE.title, {})
        fastest = max((one.library or 0.0 for one in core.values()), default=0.0)
        rows = []
        for title, agreement in self.agreements.items():
            row: dict[str, object] = {"": title, "Spearman": f"{agreement.spearman:.5f}"}
            row |= {"largest difference of a distance": f"{agreement.difference:.1e}"}
            row |= {"verdicts that change": f"{agreement.changed:.2%}"}
            rows.append(row | {f"batch of {n}": _rate(self.rates.get(title, {}).get(n)) for n in BATCHES})
        parts = [self.heading, records_table(rows) if rows else "", *self._goals(fastest)]
        served = [{"pairs/s of the service (p50, p99 in ms)": cell} | row for cell, row in self.served.items()]
        parts += [records_table(served)] if served else []
        return "\n\n".join(filter(None, [*parts, "\n".join(f"* {note}" for note in self.notes)]))

    def _goals(self, core: float) -> list[str]:
        """Batches that were not measured could only make the worst one worse and the best one better."""
        rates = self.rates.get(DEFAULT.title, {})
        if not rates or not core:
            return []
        whole = set(rates) >= set(BATCHES) and set(self.rates[CORE.title]) >= set(BATCHES)
        slowest = max(one.bound / one.library for one in rates.values() if one.library)
        times = max(one.library or 0.0 for one in rates.values()) / core
        bound = "not reached" if slowest > 1.3 else "reached" if whole else "could not tell"
        card = "could not tell" if not whole else "reached" if times >= 100 else "not reached"
        return [
            f"Goals: `session.run` with bound inputs and outputs is at most 1.3 times as fast as the library: "
            f"**{bound}**, {slowest:.2f} at the worst batch. The library on the card is 100 times as fast as one core: "
            f"**{card}**, {times:.1f}." + ("" if whole else " Some batches were not measured.")
        ]


def _rate(rate: ProviderRate | None) -> str:
    if rate is None:
        return "not measured"
    return f"{rate.bound:,.0f}" if rate.library is None else f"{rate.library:,.0f} ({rate.bound / rate.library:.2f})"


def measure_step(run: ProviderRun, variant: SessionVariant, known: KnownDistances, seconds: float) -> None:
    """Run a variant in a process of its own, for ``seconds`` at most."""
    with tempfile.TemporaryDirectory(prefix="semsim-bench-") as folder:
        # A process that dies before it has read its arguments would keep this one waiting, unless they are short.
        known.save(Path(folder) / "known.npz")
        _measure_in_process(run, variant, Path(folder) / "known.npz", seconds)


def _measure_in_process(run: ProviderRun, variant: SessionVariant, known: Path, seconds: float) -> None:
    context = multiprocessing.get_context("spawn")
    receiving, sending = context.Pipe(duplex=False)
    child = context.Process(target=measure_variant, args=(variant, known, sending), daemon=True)
    end = time.monotonic() + seconds
    child.start()
    sending.close()
    try:
        while receiving.poll(max(0.0, end - time.monotonic())):
            result = receiving.recv()
            match result:
                case DistanceAgreement():
                    run.agreements[variant.title] = result
                case ProviderRate():
                    run.rates.setdefault(variant.title, {})[result.batch] = result
                case _:
                    run.notes.append(f"{variant.title}: {result}")
            run.keep(f"{variant.title}: {result}")
        run.notes.append(f"{variant.title}: not finished in {seconds:.0f} s")
    except EOFError:
        child.join()
        if child.exitcode:
            run.notes.append(f"{variant.title}: its process ended with {child.exitcode}")
    finally:
        child.kill()
        child.join()
