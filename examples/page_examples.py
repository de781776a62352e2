"""Write the examples of the service's page: pairs of ``examples/photographs``, and a button for each.

    python -m examples.page_examples

Everybody may use the photographs; ``examples/images/README.md`` tells whose they are.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from examples.contradictions import Seen
from examples.draw_pair import ROOT, read_seen
from semsim_training.client_images.png import encode_png
from semsim_training.markdown import write_between

STATIC = ROOT / "service" / "semsim_service" / "web_page" / "static"
CHOSEN = {
    (
        "astronaut/astronaut.png",
        "photos--perceptron--smooth-it300-tv0.1--gaussian:3e-2--b8",
    ): "a batch of 8 under noise",
    ("cup/coffee.png", "photos--perceptron--closed-form--mode-43-18-18"): "a batch of one, moved and faded",
    ("cat/chelsea.png", "photos--lenet--modern-it300"): "a network that hides much",
    ("galaxies/hubble.png", "photos--lenet--smooth-it300-tv0.01--b4--fedavg-lr0.01-b2-e1"): "two steps of training",
    ("cat/chelsea.png", "photos--perceptron--closed-form--mode-3-1-7"): "a batch of one, moved",
    ("galaxies/hubble.png", "photos--perceptron--smooth-it300-tv0.1--prune:0.99"): "an update of which 1% is left",
}
"""The pairs by original and setting, with what the client sent in words."""


def main() -> None:
    """Write the pictures and the buttons."""
    pictures, buttons = page_examples(read_seen())
    folder = STATIC / "examples"
    folder.mkdir(exist_ok=True)
    for stale in folder.glob("*.png"):
        stale.unlink()
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    write_between(STATIC / "index.html", "examples", buttons)


def page_examples(seen: Sequence[Seen]) -> tuple[dict[str, bytes], str]:
    """The PNG files by their names, and the buttons as HTML."""
    by_key = {(one.image, one.setting): one for one in seen}
    pictures: dict[str, bytes] = {}
    buttons = []
    for number, (key, sent) in enumerate(CHOSEN.items(), start=1):
        one = by_key[key]
        files = f"{Path(one.image).stem}.png", f"reconstruction-{number}.png"
        pictures |= dict(zip(files, (encode_png(one.original), encode_png(one.reconstruction)), strict=True))
        buttons.append(_button(one, sent, *(f"/page/examples/{name}" for name in files)))
    return pictures, "\n".join(buttons)


def _button(one: Seen, sent: str, original: str, reconstruction: str) -> str:
    images = "".join(f'<img src="{path}" width="64" height="64" alt="">' for path in (original, reconstruction))
    text = f"from {escape(sent)}; recognised by {one.recognised} of {one.annotators} vision models"
    return (
        f'<button type="button" class="example" data-original="{original}" data-reconstruction="{reconstruction}">'
        f"{images}<span><strong>{escape(one.class_name)}</strong> {text}</span></button>"
    )


if __name__ == "__main__":
    main()
