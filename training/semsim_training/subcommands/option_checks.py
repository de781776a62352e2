"""Checks of options that several commands share; none of them imports torch unless it must."""

from collections.abc import Iterable
from pathlib import Path

from semsim.exceptions import InvalidOption

DEVICES = ("cpu", "cuda")


def one_of(option: str, value: str, known: Iterable[str]) -> None:
    """Refuse a value that is not known.

    Raises:
        InvalidOption: the message names the known values.
    """
    if value not in set(known):
        raise InvalidOption(f"expected {option} {' or '.join(known)}, got {value}")


def existing(content: str, path: Path) -> None:
    """Refuse a path without a file; ``content`` says in words what it should hold.

    Raises:
        InvalidOption: there is no file.
    """
    if not path.is_file():
        raise InvalidOption(f"expected {content} at {path}, got {'a directory' if path.is_dir() else 'none'}")


def present(device: str) -> str:
    """The device, where the machine has it.

    Raises:
        InvalidOption: there is no GPU.
    """
    import torch

    if device == "cuda" and not torch.cuda.is_available():
        raise InvalidOption("expected a GPU for --device cuda, got none")
    return device


def numbers(option: str, text: str, example: str) -> tuple[float, ...]:
    """The numbers of a text such as ``0.9,0.999``.

    Raises:
        InvalidOption: a part is no number.
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InvalidOption(f"expected {option} as numbers, such as {example}, got {text}") from None


def whole_numbers(option: str, text: str, example: str, separator: str = ",") -> tuple[int, ...]:
    """The whole numbers of a text such as ``3,5``.

    Raises:
        InvalidOption: a part is no whole number.
    """
    try:
        return tuple(int(part) for part in text.split(separator))
    except ValueError:
        raise InvalidOption(f"expected {option} as numbers, such as {example}, got {text}") from None
