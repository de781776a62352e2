"""Draw ``docs/pair.png``, the picture of the README: which of two reconstructions leaks more, and by which measure.

    python -m examples.draw_pair

``examples/contradictions.py`` says by which rule the reconstructions of ``examples/photographs`` are chosen. The
bundled model scores them. The table in ``examples/photographs/README.md`` and the README's text about the picture are
written as well.
"""

from pathlib import Path

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from examples.contradictions import CONTRADICTIONS, VALUES, Chosen, Contrast, Seen, agreement, choose, contrasts
from semsim import Scorer
from semsim.exceptions import InvalidAnnotations
from semsim.images import RGBImage
from semsim_training.annotation.gold_rule import GoldRule
from semsim_training.annotation.judgements import AnnotatorKind
from semsim_training.judged.judged_set import JudgedSet
from semsim_training.markdown import write_between
from semsim_training.reconstructions.reconstruction_set import ReconstructionSet

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "pair.png"
PHOTOGRAPHS = ROOT / "examples" / "photographs"
JUDGEMENTS = PHOTOGRAPHS / "judgements"

_TILE, _GAP, _PAD, _MARGIN = 132, 11, 10, 8
_PANEL = 3 * _TILE + 2 * _GAP + 2 * _PAD
_HEAD, _NAMES, _LINE = 64, 48, 24
_PANEL_HEIGHT = _PAD + _NAMES + _TILE + 8 + 4 * _LINE + _PAD // 2
_INK, _FAINT, _GROUND, _PAPER, _MORE, _WRONG = (
    (20, 20, 20), (90, 90, 90), (255, 255, 255), (240, 240, 240), (255, 196, 120), (160, 30, 30),
)  # fmt: skip


def main() -> None:
    """Choose by the rule, draw the picture and write the table.

    Raises:
        InvalidAnnotations: the judgements are missing, or too few photographs have a contradiction.
    """
    seen = read_seen()
    chosen = choose(seen)
    if len(chosen.contradictions) < CONTRADICTIONS:
        raise InvalidAnnotations(
            f"expected contradictions in {CONTRADICTIONS} classes of photographs, got {len(chosen.contradictions)}"
        )
    described = PngInfo()
    described.add_itxt("Description", caption(chosen))
    draw(chosen).save(TARGET, optimize=True, pnginfo=described)
    write_between(PHOTOGRAPHS / "README.md", "contradictions", table(chosen, contrasts(seen)))
    write_between(ROOT / "README.md", "picture", caption(chosen))


def read_seen(photographs: Path = PHOTOGRAPHS, judgements: Path = JUDGEMENTS) -> list[Seen]:
    """Every judged reconstruction of the photographs, scored with the bundled model.

    Raises:
        InvalidAnnotations: no vision model that knows its gold items has judged.
        InvalidDataset: the set or its originals are missing.
    """
    judged = JudgedSet.read(
        ReconstructionSet.read(photographs), judgements, AnnotatorKind.VISION_MODEL, GoldRule()
    )  # fmt: skip
    originals = [pair.original() for pair in judged.pairs]
    reconstructions = [pair.reconstruction() for pair in judged.pairs]
    scores = Scorer().score_images(originals, reconstructions)
    return [
        Seen(
            original, pair.row.image, pair.row.class_name, pair.row.setting, reconstruction,
            score.psnr, score.ssim, score.leakage, int(recognised), int(annotators),
        )
        for pair, original, reconstruction, score, recognised, annotators in zip(
            judged.pairs, originals, reconstructions, scores, judged.recognised, judged.annotators, strict=True
        )
    ]  # fmt: skip


def table(chosen: Chosen, compared: list[Contrast]) -> str:
    """The contrasts of the picture, and how often each metric agrees, as Markdown."""
    sides = [one for contrast in _panels(chosen) for one in (contrast.recognised, contrast.other)]
    lines = [
        f"| photograph | setting | {' | '.join(_told(sides[0]))} |",
        "|---|---|---|---|---|---|",
        *(f"| {one.class_name} | `{one.setting}` | {' | '.join(_told(one).values())} |" for one in sides),
    ]
    shares = ", ".join(f"{name} {share:.0%}" for name, share in agreement(compared).items())
    counted = (
        f"Annotators recognised the two of {len(compared)} pairs of reconstructions of one photograph unequally often. "
        f"So many of these each metric orders as they do: {shares}. "
        "Pairs with a reconstruction that SemSim calls uninformative are not among them."
    )
    return "\n".join([*lines, "", counted])


def caption(chosen: Chosen) -> str:
    """The README's picture with what it shows in words, for those who do not see it, and the line below."""
    told = "; ".join(
        f"{contrast.recognised.class_name}, {name}: {', '.join(' '.join(item) for item in _told(one).items())}"
        for contrast in _panels(chosen)
        for name, one in zip("AB", (contrast.recognised, contrast.other), strict=True)
    )
    error = ", and the largest error of SemSim" if chosen.error else ""
    return f"""![Which of these two leaks more? {told}](docs/pair.png)

*Reconstructions by real attacks on what a client would send, scored with the bundled model. Three vision models looked
at each, blind. These are the largest contradictions by [a written rule](examples/photographs/README.md){error}.
`make picture` draws it again.*"""


def draw(chosen: Chosen) -> Image.Image:
    """The picture, RGB: a panel for each contrast, two side by side. Its ground is opaque, for pages of any colour."""
    panels = _panels(chosen)
    rows = -(-len(panels) // 2)
    size = (2 * (_MARGIN + _PANEL) + _MARGIN, _HEAD + rows * (_PANEL_HEIGHT + _MARGIN))
    sheet = Image.new("RGB", size, _GROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((_MARGIN + 2, 8), "Which of these two leaks more?", _INK, ImageFont.load_default(25))
    legend = _MARGIN + 2
    pen.rectangle((legend, 44, legend + 26, 57), _MORE)
    text = "= leaks more, by this measure. All are reconstructions by real attacks."
    pen.text((legend + 34, 51), text, _FAINT, ImageFont.load_default(14), anchor="lm")
    for place, contrast in enumerate(panels):
        row, column = divmod(place, 2)
        corner = _MARGIN + column * (_MARGIN + _PANEL), _HEAD + row * (_PANEL_HEIGHT + _MARGIN)
        _panel(sheet, corner, contrast)
    return sheet


def _panels(chosen: Chosen) -> list[Contrast]:
    return [*chosen.contradictions, *([chosen.error] if chosen.error else [])]


def _panel(sheet: Image.Image, corner: tuple[int, int], contrast: Contrast) -> None:
    left, top = corner
    pen = ImageDraw.Draw(sheet)
    pen.rectangle((left, top, left + _PANEL - 1, top + _PANEL_HEIGHT - 1), _PAPER)
    wrong = [name for name, value in VALUES.items() if contrast.gain(value) < 0]
    listed = " and ".join([", ".join(wrong[:-1])] * (len(wrong) > 1) + wrong[-1:])
    title = f"Here {listed} {'are' if len(wrong) > 1 else 'is'} wrong."
    colour = _WRONG if "SemSim" in wrong else _INK
    pen.text((left + _PAD, top + 8), title, colour, ImageFont.load_default(17))
    sides = (contrast.recognised, contrast.other)
    columns = [left + _PAD + place * (_TILE + _GAP) for place in range(3)]
    images = (contrast.recognised.original, *(side.reconstruction for side in sides))
    above = top + _PAD + _NAMES
    for column, name, image in zip(columns, ("original", "A", "B"), images, strict=True):
        pen.text((column + _TILE // 2, above - 10), name, _FAINT, ImageFont.load_default(15), anchor="mm")
        sheet.paste(_enlarged(image), (column, above))
    gains = [*(contrast.gain(value) for value in VALUES.values()), contrast.gain(lambda one: one.share)]
    texts = [_told(side) for side in sides]
    for number, (label, gain) in enumerate(zip(texts[0], gains, strict=True)):
        line = above + _TILE + 8 + number * _LINE
        pen.text((columns[0], line + _LINE // 2), label, _INK, ImageFont.load_default(15), anchor="lm")
        for column, text, more in zip(columns[1:], texts, (gain > 0, gain < 0), strict=True):
            if more:
                pen.rectangle((column, line + 1, column + _TILE - 1, line + _LINE - 2), _MORE)
            font = ImageFont.load_default(15 if len(text[label]) < 12 else 13)
            pen.text((column + _TILE // 2, line + _LINE // 2), text[label], _INK, font, anchor="mm")


def _told(seen: Seen) -> dict[str, str]:
    """The values of a reconstruction, and who recognised it, in words."""
    return {
        "PSNR": f"{seen.psnr:.1f} dB",
        "SSIM": f"{seen.ssim:.2f}",
        "SemSim's leakage": "none" if seen.leakage is None else f"{seen.leakage:.2f}",
        "recognised by": f"{seen.recognised} of {seen.annotators} vision models",
    }


def _enlarged(image: RGBImage) -> Image.Image:
    # Those who judged saw it enlarged in this way.
    return Image.fromarray(image).resize((_TILE, _TILE), Image.Resampling.BICUBIC)


if __name__ == "__main__":
    main()
