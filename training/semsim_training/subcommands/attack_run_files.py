"""The folder that ``semsim attack run`` writes, and the originals that it may be given."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semsim.exceptions import InvalidOption
from semsim_training.subcommands.option_checks import existing

if TYPE_CHECKING:
    from semsim_training.attacks.reconstruction import Reconstruction
    from semsim_training.reconstructions.beside import Beside

_RESULT, _BESIDE = "result.json", "beside.png"
_PICTURE = re.compile(r"reconstruction-\d+\.png")


@dataclass(frozen=True, slots=True)
class AttackFolder:
    """A folder of one attack: pictures, ``result.json``, and with originals ``beside.png``."""

    path: Path
    replace: bool
    originals: tuple[Path, ...]

    def check(self, images: int) -> None:
        """Refuse, before any work, a folder with an earlier attack, and originals that are missing or too few.

        Raises:
            InvalidOption: what was expected, and what came.
        """
        if self.path.exists() and not self.path.is_dir():
            raise InvalidOption(f"expected a folder for --out, got the file {self.path}")
        earlier = self._earlier()
        if earlier and not self.replace:
            raise InvalidOption(
                f"expected a folder without an earlier attack, got {earlier[0].name} in {self.path}: "
                "name another folder, or say --replace"
            )
        for original in self.originals:
            existing("an original", original)
        if self.originals and len(self.originals) != images:
            raise InvalidOption(f"expected --original once for each of {images} images, got {len(self.originals)}")

    def write(self, made: "Reconstruction") -> "tuple[tuple[str, ...], Beside | None]":
        """Write what came out in the place of what was there: the names of the pictures, and what originals say."""
        from semsim_training.attacks.reconstruction import Status
        from semsim_training.client_images.png import encode_png
        from semsim_training.reconstructions.beside import beside

        # What originals can refuse is refused before anything is removed.
        diverged = made.status is Status.DIVERGED
        compared = beside(self.originals, made.images) if self.originals and not diverged else None
        self.path.mkdir(parents=True, exist_ok=True)
        for path in self._earlier():
            path.unlink()
        names = () if diverged else tuple(f"reconstruction-{index}.png" for index in range(len(made.images)))
        for name, image in zip(names, made.images, strict=False):
            (self.path / name).write_bytes(encode_png(image))
        if compared is not None:
            (self.path / _BESIDE).write_bytes(encode_png(compared.picture))
        return names, compared

    def write_result(self, result: Mapping[str, Any]) -> None:
        """Write ``result.json``."""
        (self.path / _RESULT).write_text(json.dumps(result, indent=2) + "\n")

    def _earlier(self) -> Sequence[Path]:
        pictures = sorted(path for path in self.path.glob("reconstruction-*.png") if _PICTURE.fullmatch(path.name))
        return [*pictures, *(path for path in (self.path / _RESULT, self.path / _BESIDE) if path.exists())]
