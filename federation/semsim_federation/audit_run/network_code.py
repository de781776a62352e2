"""The code that a run's numbers come from, apart from the packages whose versions its journal has."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from torch import nn

from semsim_federation.audit_run.audit_config import AuditConfiguration
from semsim_federation.audit_run.audit_journal import sha256_of
from semsim_training.plug_ins import PlugIn, PlugInKind, plug_ins
from semsim_training.victims.victim_checkpoint import VictimDescription

_VERSIONED = {"numpy", "semsim", "semsim_federation", "semsim_training", "torch", "torchvision"}
"""The packages whose versions are in the journal beside the hash."""
_INSTALLED = {"dist-packages", "site-packages"}
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def code_hash(model: nn.Module, module: str | None, plugged: Sequence[PlugIn], base: Path) -> str:
    """The hash of a network's layers, and of the code behind them: equal weights in other layers leak otherwise.

    The code is what was imported by now: the files of the layers' classes, the ``module`` of a configuration in the
    folder ``base`` and the plug-ins', and what lies below the folders that these two were imported from. Of an
    installed package it is the package alone.
    """
    places = [_place_of(one.entry.module) for one in plugged]
    if place := (module or "").rpartition(":")[0]:
        places.append((base / place).resolve() if place.endswith(".py") else _place_of(place))
    names = {kind.__module__ for layer in model.modules() for kind in type(layer).__mro__}
    names = names.union(*map(_beside, places))
    lines = [_ADDRESS.sub("", repr(model))]  # an address is another one in each process
    for name in sorted(names):
        file = _file(sys.modules.get(name))
        if file is not None and name.partition(".")[0] not in _VERSIONED:
            lines.append(f"{name} {sha256_of(file.read_bytes())}")
    return sha256_of("\n".join(lines).encode())


def plug_ins_of(configuration: AuditConfiguration, base: Path) -> list[PlugIn]:
    """The plug-ins that a configuration in the folder ``base`` names, and that of its checkpoint's network.

    Raises:
        InvalidVictim: the checkpoint's description cannot be read.
    """
    network, checkpoint = configuration.model.network, configuration.model.checkpoint
    if checkpoint is not None:
        network = VictimDescription.read((base / checkpoint).with_suffix(".json")).network
    named = {(PlugInKind.ATTACK, name) for name in configuration.attacks}
    named |= {(PlugInKind.DEFENSE, step.kind) for defense in configuration.defenses for step in defense.steps}
    named |= set() if network is None else {(PlugInKind.VICTIM, str(network.architecture))}
    return [plugged for kind, name in sorted(named) for plugged in plug_ins(kind).get(name, ())]


def _place_of(module: str) -> Path:
    """The file of an imported module's outermost package, or that package's folder."""
    package = sys.modules[module.partition(".")[0]]
    folders: Sequence[str] = getattr(package, "__path__", ())  # without a file where it is a namespace
    return Path(next(iter(folders), getattr(package, "__file__", None) or "")).absolute()


def _beside(place: Path) -> set[str]:
    """The names of the imported modules below the folder that a file or package lies in; of an installed one, its own.

    The folder's own installed packages, such as those of an environment in it, are left out.
    """
    root = place if place.parent.name in _INSTALLED else place.parent
    files = ((name, _file(module)) for name, module in list(sys.modules.items()))
    return {
        name
        for name, file in files
        if file is not None
        for path in (file.absolute(), file.resolve())  # links may lead into the folder, or out of it
        if path.is_relative_to(root) and not _INSTALLED & set(path.relative_to(root).parts)
    }


def _file(module: ModuleType | None) -> Path | None:
    """The file of a module; None for one that is built in, or is no module."""
    name = getattr(module, "__file__", None)
    return Path(name) if isinstance(name, str) and Path(name).is_file() else None
