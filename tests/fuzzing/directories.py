"""Two directories for the gate: pairs that are good, leaks, damaged and foreign files, and what lies beside them."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from hypothesis import strategies as st

from tests.encoded import encode, picture
from tests.fuzzing.files import Edit, contents, edits, write

MATCHES = ("name", "name", "name", "index", "best", "assignment")
_COUNT = 3
_PICTURES = [picture(24 + seed, 32, seed=seed) for seed in range(2 * _COUNT)]
_FORMATS = ("PNG", "JPEG", "WEBP")
_TEXTS = (
    *("notes.txt", "scores.csv", "x.json", "README", ".DS_Store", "._1.png", "Thumbs.db", "x.md", "1.jpg.txt", ".x"),
)
"""Names of files that may hold a text, or what a desktop leaves."""
_OTHERS = (
    *("2.ppm", "1.jxl", "1.tiff", "1.heic", "x.npy", "x.pt", "x.svg", "x.bin", "a/1.ppm", "1.png.bak", "1.PNG "),
    *(
        "x.gif",
        "\udce9.dat",
        "x" * 200,
        "a b.c",
        "-x.b",
        "x\ny.ppm",
        ".a/x.bin",
        ".hidden.png",
        "00.webp",
        "__x/1.avif",
    ),
)
"""Names of files that nothing makes harmless."""
_TEXT = b"a note beside the pictures\n"


@dataclass(frozen=True, slots=True)
class Beside:
    """Something that lies among the reconstructions under a name of its own."""

    name: str
    data: bytes | None
    """Its content; ``None`` for a link that leads nowhere."""
    counts: bool
    """True where it must be scored, or stop the gate."""


@dataclass(frozen=True, slots=True)
class Reconstruction:
    """One reconstruction under the name that belongs to its original."""

    number: int
    of: int
    """The number of the picture that it shows; that of its original is ``number``."""
    format: str
    suffix: str
    edits: tuple[Edit, ...]
    other: bytes | None
    """Content of another kind, in the place of a picture."""


@dataclass(frozen=True, slots=True)
class Directories:
    """One run of the gate."""

    match: str
    plain: int | None
    """The number of an original that shows nothing."""
    reconstructions: tuple[Reconstruction, ...]
    beside: tuple[Beside, ...]

    def write(self, originals: Path, reconstructions: Path) -> tuple[set[str], set[str]]:
        """Write the files; the names of whole copies of originals, and of files that must be scored."""
        leaks, judged = set(), set()
        for one in self.reconstructions:
            shown = np.full_like(_PICTURES[one.number], 120) if one.number == self.plain else _PICTURES[one.number]
            write(originals / f"{one.number}.png", encode(shown))
            data = encode(_PICTURES[one.of], one.format)
            for edit in one.edits:
                data = edit.apply(data)
            name = f"{one.number}{one.suffix}"
            write(reconstructions / name, data if one.other is None else one.other)
            # Only with one file for one file does a match of another kind than by name meet each original's copy.
            if one.number == one.of and not one.edits and one.other is None and one.number != self.plain:
                leaks.add(name)
            if self.match != "best":
                judged.add(name)
        for other in self.beside:
            path = reconstructions / other.name
            if other.data is None:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.symlink_to("nowhere")
            else:
                write(path, other.data)
            if other.counts and not (self.match == "best" and other.name.endswith((".png", ".webp"))):
                judged.add(other.name)  # a reconstruction that is nobody's best is no fault
        return leaks, judged


def _reconstruction(number: int) -> st.SearchStrategy[Reconstruction]:
    elsewhere = st.just(_COUNT + number)
    return st.builds(
        Reconstruction,
        st.just(number),
        st.one_of(elsewhere, elsewhere, elsewhere, st.just(number)),
        st.sampled_from(_FORMATS),
        st.sampled_from([".png", ".png", ".jpg", ".webp", ".PNG", "/a.png"]),
        st.one_of(st.just(()), st.just(()), st.lists(edits(), max_size=2).map(tuple)),
        st.one_of(st.none(), st.none(), st.none(), st.none(), contents()),
    )


def _beside() -> st.SearchStrategy[Beside]:
    texts, others = st.sampled_from(_TEXTS), st.sampled_from(_OTHERS)
    whole = st.sampled_from([encode(shown, kind) for shown in _PICTURES[:_COUNT] for kind in _FORMATS])
    return st.one_of(
        st.builds(Beside, texts, st.just(_TEXT) | contents(), st.just(False)),
        st.builds(Beside, others, st.just(_TEXT) | contents().filter(bool), st.just(True)),
        st.builds(Beside, texts | others, whole | st.none(), st.just(True)),
    )


def directories() -> st.SearchStrategy[Directories]:
    """Runs of the gate; in some of them all is well."""
    several = st.builds(
        lambda count, ones: ones[:count], st.integers(1, _COUNT), st.tuples(*map(_reconstruction, range(_COUNT)))
    )
    beside = st.one_of(st.just(()), st.lists(_beside(), max_size=2, unique_by=lambda one: one.name).map(tuple))
    plain = st.one_of(st.none(), st.none(), st.none(), st.integers(0, _COUNT - 1))
    return st.builds(Directories, st.sampled_from(MATCHES), plain, several, beside)
