"""Draw ``docs/pair.png``: an original, its reconstructions at four moments of an attack, and their scores.

    python -m examples.draw_pair

The bundled model scores the reconstructions as they are drawn.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from examples.make_images import IMAGES
from semsim import Scorer
from semsim.images import decode

TARGET = Path(__file__).parent.parent / "docs" / "pair.png"
_TILE, _GAP, _TOP, _BOTTOM = 192, 16, 34, 117
_INK, _FAINT, _PAPER = (20, 20, 20), (110, 110, 110), (255, 255, 255)


def main() -> None:
    """Score the pairs and draw them in a row."""
    scorer = Scorer()
    original = IMAGES / "cat_32.png"
    reconstructions = sorted((IMAGES / "cat_32").glob("*.png"))
    width = (len(reconstructions) + 1) * (_TILE + _GAP) + _GAP
    sheet = Image.new("RGB", (width, _TOP + _TILE + _BOTTOM), _PAPER)
    _tile(sheet, 0, original, "original", [])
    for place, path in enumerate(reconstructions, start=1):
        score = scorer.score(original, path)
        lines = [
            f"leakage {score.leakage:.2f}", f"distance {score.distance:.2f}",
            f"PSNR {score.psnr:.1f} dB", f"SSIM {score.ssim:.2f}",
        ]  # fmt: skip
        _tile(sheet, place, path, f"after {int(path.stem)} iterations", lines)
    sheet.save(TARGET, optimize=True)


def _tile(sheet: Image.Image, place: int, path: Path, title: str, lines: list[str]) -> None:
    left = _GAP + place * (_TILE + _GAP)
    pen = ImageDraw.Draw(sheet)
    pen.text((left, 9), title, _INK, ImageFont.load_default(16))
    image = Image.fromarray(decode(path)).resize((_TILE, _TILE), Image.Resampling.NEAREST)
    sheet.paste(image, (left, _TOP))
    for row, line in enumerate(lines):
        pen.text((left, _TOP + _TILE + 10 + 25 * row), line, _FAINT if row else _INK, ImageFont.load_default(18))


if __name__ == "__main__":
    main()
