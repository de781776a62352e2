"""Damaged pictures that the decoder refuses, what those that pass cost, and valid pictures that it refuses.

python -m benchmarks.damage [--write FILE] [--count N]
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.damage.damages import DAMAGES, FORMATS, encode
from benchmarks.damage.encoders import TOOLS, pillow_files, tool_files
from benchmarks.harness.reports import options, publish
from semsim.exceptions import InvalidImage
from semsim.images import RGBImage, decode
from semsim.providers import Provider, ProviderSettings
from semsim.scorer import Scorer
from semsim_training.markdown import table

_SIZES = (None, (64, 64), (33, 17), (700, 500))
_PHOTOGRAPHS_FOR_ENCODERS = 6


def main() -> None:
    """Print the tables; with ``--write`` keep them in a page."""
    parser = options(__doc__, "damage", images=True)
    parser.add_argument("--count", type=int, default=200, help="photographs to damage")
    arguments = parser.parse_args()
    files = sorted((arguments.data / "caltech101").glob("*/*.jpg"))
    chosen = np.random.default_rng(18).choice(len(files), arguments.count, replace=False)
    pictures = [Image.fromarray(decode(files[index])) for index in chosen]
    damaged = f"{arguments.count} photographs, each damaged once in each way."
    publish("\n\n".join([damaged, _damage_table(pictures), _valid_table(files, pictures)]), "damage", arguments.write)


def _damage_table(pictures: list[Image.Image]) -> str:
    scorer = Scorer(providers=ProviderSettings(order=(Provider.CPU,)))
    encoded = {name: [encode(picture, name) for picture in pictures] for name in FORMATS}
    rows = [[damage, *(_cell(scorer, pictures, encoded[name], damage) for name in FORMATS)] for damage in DAMAGES]
    return table(["damage", *FORMATS], rows)


def _cell(scorer: Scorer, pictures: list[Image.Image], files: list[bytes], damage: str) -> str:
    """The share that is refused; of the others, the largest fall of leakage against the whole copy."""
    rng = np.random.default_rng(18)
    refused, falls = 0, []
    for picture, whole, other in zip(pictures, files, files[1:] + files[:1], strict=True):
        data = DAMAGES[damage](whole, other, rng)
        if data is None:
            return ""
        passed = _decoded(data)
        if passed is None:
            refused += 1
        elif min(passed.shape[:2]) >= 7:
            falls.append(_fall(scorer, np.asarray(picture), decode(whole), passed))
    share = f"{refused / len(files):.1%}".replace(".0%", "%")
    return f"{share}, {max(falls):.2f}" if falls else share


def _fall(scorer: Scorer, original: RGBImage, whole: RGBImage, damaged: RGBImage) -> float:
    before, after = (scorer.score(original, image).leakage for image in (whole, damaged))
    return 0.0 if before is None or after is None else max(0.0, before - after)


def _decoded(data: bytes) -> RGBImage | None:
    try:
        return decode(data)
    except InvalidImage:
        return None


def _valid_table(files: list[Path], pictures: list[Image.Image]) -> str:
    counts: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for encoder, data in _valid_files(files, pictures):
        counts[encoder] += 1
        refused[encoder] += _decoded(data) is None
    missing = [name for name in TOOLS if name not in counts]
    rows = [[name, f"{count:,}", refused[name]] for name, count in counts.items()]
    rows.append(["together", f"{counts.total():,}", refused.total()])
    note = f"\n\nNot installed: {', '.join(missing)}." if missing else ""
    return table(["valid files of", "files", "refused"], rows) + note


def _valid_files(files: list[Path], pictures: list[Image.Image]) -> Iterator[tuple[str, bytes]]:
    yield from (("Caltech-101, as it is", file.read_bytes()) for file in files)
    plain = Image.new("RGB", (300, 200), (200, 30, 90))
    half_plain = plain.copy()
    half_plain.paste(pictures[0].resize((150, 200)))
    for index, picture in enumerate([*pictures[:_PHOTOGRAPHS_FOR_ENCODERS], plain, half_plain]):
        size = _SIZES[index % len(_SIZES)]
        sized = picture if size is None or index >= _PHOTOGRAPHS_FOR_ENCODERS else picture.resize(size)
        yield from pillow_files(sized)
        for encoder in TOOLS:
            yield from ((encoder, data) for data in tool_files(sized, encoder) or ())


if __name__ == "__main__":
    main()
