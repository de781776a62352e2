"""Configurations and descriptions from files: each mistake is told in a line, with its place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import pytest
from pydantic import Field, ValidationError

from semsim.exceptions import InvalidConfiguration, InvalidDataset
from semsim_training.configuration import Configuration, Description, FrozenModel


class Part(FrozenModel):
    """A part of the configuration of these tests."""

    side: int = Field(ge=1)
    kind: Literal["left", "right"] = "left"
    names: tuple[str, ...] = ()


class Whole(Configuration):
    """The configuration of these tests."""

    title: str
    parts: Mapping[str, Part] = {}
    others: tuple[Part, ...] = ()


class Written(Description):
    """The description of these tests."""

    CONTENT: ClassVar[str] = "a description"
    REFUSAL: ClassVar = InvalidDataset

    count: int
    part: Part | None = None


@pytest.mark.parametrize(
    ("text", "mistakes"),
    [
        ("title: a\nparts: {b: {side: 0}}", ["parts.b.side: expected a number greater than or equal to 1, got 0"]),
        ("title: a\nothers: [{side: 1}, {side: x}]", ["others.1.side: expected a valid integer, got 'x'"]),
        ("title: a\nothers: [{side: 1, kind: up}]", ["others.0.kind: expected 'left' or 'right', got 'up'"]),
        ("title: a\nothers: [{side: 1, names: ab}]", ["others.0.names: expected a list, got 'ab'"]),
        ("title: a\nparts: {b: {width: 3, side: 1}}", ["parts.b: expected a field of side, kind, names, got width"]),
        ("title: a\nparts: {b: {sde: 3}}", [
            "parts.b: expected a field of side, kind, names, got sde; did you mean side?",
        ]),
        ("titel: a\nothers: [{side: 2.5}]", [
            "others.0.side: expected a valid integer, got 2.5",
            "expected a field of title, parts, others, got titel; did you mean title?",
        ]),
        ("title: a\nparts: {b: 3}", ["parts.b: expected a mapping, got 3"]),
        ("3", ["expected a mapping, got 3"]),
        ("", ["expected a mapping, got None"]),
        ("others: [{}]\nsize: 2", [
            "title: expected a value, got none",
            "others.0.side: expected a value, got none",
            "expected a field of title, parts, others, got size",
        ]),
    ],
)  # fmt: skip
def test_each_mistake_is_a_line(tmp_path: Path, text: str, mistakes: list[str]) -> None:
    """The place, what was expected and what came; one mistake stands behind the file's name."""
    path = tmp_path / "whole.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration) as caught:
        Whole.read(path)
    expected = f" {mistakes[0]}" if len(mistakes) == 1 else "".join(f"\n  {line}" for line in mistakes)
    assert str(caught.value) == f"{path} does not fit the schema:{expected}"


@pytest.mark.parametrize("text", ["title: a\nother: 3\ntitle: b", "title: a\nparts: {b: {side: 1}, b: {side: 2}}"])
def test_a_key_stands_once(tmp_path: Path, text: str) -> None:
    """The first of two values would be lost without a word."""
    path = tmp_path / "whole.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration, match=r"expected YAML in .*, got: expected each key once, got \w+ twice"):
        Whole.read(path)


class Numbers(Configuration):
    """Numbers, and what may be a boolean."""

    share: float | None = None
    sizes: tuple[tuple[int, ...], ...] = ()
    made: bool = False
    count: int | bool = 0


def test_numbers_and_booleans_are_what_they_are_written_as(tmp_path: Path) -> None:
    """Numbers are taken however they are written, and booleans where they are meant alone: no count is ``true``."""
    path = tmp_path / "numbers.yaml"
    path.write_text("{share: 1, sizes: [[0x10], [2.0, '3']], made: yes, count: on}")
    assert Numbers.read(path) == Numbers(share=1.0, sizes=((16,), (2, 3)), made=True, count=True)
    for text, place in (("share: no", "share"), ("sizes: [[1, yes]]", "sizes"), ("sizes: [true]", "sizes")):
        path.write_text(text)
        with pytest.raises(InvalidConfiguration, match=f"schema: {place}: expected a number, got a boolean$"):
            Numbers.read(path)
    with pytest.raises(ValidationError, match="expected a number, got a boolean"):
        Part(side=True)


def test_merged_keys_are_no_repetition(tmp_path: Path) -> None:
    """YAML's merge key gives values that the mapping itself may change."""
    path = tmp_path / "whole.yaml"
    path.write_text("title: a\nparts:\n  b: &b {side: 1, kind: right}\n  c: {<<: *b, side: 2}")
    assert Whole.read(path).parts["c"] == Part(side=2, kind="right")


def test_many_mistakes_are_not_all_listed(tmp_path: Path) -> None:
    """A file of another kind has too many mistakes to read."""
    path = tmp_path / "whole.yaml"
    path.write_text("title: a\nothers: [" + ", ".join("{side: 0}" for _ in range(40)) + "]")
    with pytest.raises(InvalidConfiguration, match=r"and 28 mistakes more$") as caught:
        Whole.read(path)
    assert str(caught.value).count("\n") == 13


@pytest.mark.parametrize("text", ["title: [", "a: b: c", b"title: \xff\xfe"])
def test_what_is_no_yaml_is_one_line(tmp_path: Path, text: str | bytes) -> None:
    """Half a list, two colons, and bytes that are no text."""
    path = tmp_path / "whole.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(InvalidConfiguration, match="expected YAML in ") as caught:
        Whole.read(path)
    assert "\n" not in str(caught.value)


def test_long_values_are_cut(tmp_path: Path) -> None:
    """A value of a thousand characters does not hide the message."""
    path = tmp_path / "whole.yaml"
    path.write_text(f"title: a\nothers: {'x' * 1000}")
    with pytest.raises(InvalidConfiguration, match=r"others: expected a list, got 'x+\.\.\.$") as caught:
        Whole.read(path)
    assert len(str(caught.value)) < len(str(path)) + 150


ALIASES = "a: &a [x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{below}'] * 9)}]\n" for below, name in zip("abcdefgh", "bcdefghi", strict=True)
)


class More(Whole):
    """A configuration with a path and a list that is not empty."""

    folder: Path | None = None
    only: "More | None" = None
    least: Annotated[tuple[int, ...], Field(min_length=1)] = (1,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{ALIASES}others: *i", r"others\.0: expected a mapping, got \[\[\["),
        ("[" * 1200, "expected YAML in .*, got: maximum recursion depth"),
        ("title: 2026-13-45", r"expected YAML in .*, got: month must be in 1\.\.12"),
        ("title: !!timestamp x", "expected YAML in .*, got: 'NoneType'"),
        ("folder: false", "folder: expected a path, got False"),
        ("least: []", "least: expected tuple to have at least 1 item"),
        ("least: [1.0e+19]", r"least\.0: expected an integer that is nearer to 0, got 1e\+19"),
        ("least: &a [*a]", r"expected a valid integer, got \[\["),
        ("only: &a {only: *a}", r"expected a value that fits \(Recursion error - cyclic reference detected\), got \{"),
    ],
    ids=[
        "aliases of aliases",
        "depth",
        "no date",
        "no time",
        "no path",
        "too few",
        "immense",
        "a loop",
        "a loop inside",
    ],
)
def test_values_of_no_use_are_refused_at_once(text: str, message: str, tmp_path: Path) -> None:
    """Lists of lists by aliases, which nobody could write out, deep lists, and what is no date or path are refused."""
    path = tmp_path / "whole.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration, match=message):
        More.read(path)


def test_descriptions_tell_the_same(tmp_path: Path) -> None:
    """A JSON file that a run wrote, with the error of its kind."""
    path = tmp_path / "written.json"
    path.write_text('{"count": "many", "part": {"side": 0}}')
    message = (
        "does not fit the schema:\n  count: expected a valid integer, got 'many'"
        "\n  part.side: expected a number greater than or equal to 1, got 0"
    )
    with pytest.raises(InvalidDataset) as caught:
        Written.read(path)
    assert message in str(caught.value)
    path.write_text("{")
    with pytest.raises(InvalidDataset, match="does not fit the schema: expected JSON, got EOF"):
        Written.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"count": 3', "written.json does not fit the schema: expected JSON, got EOF while parsing an object .*"),
        ('{"count": "' + "9" * 5000 + '"}', "count: expected an integer that is nearer to 0, got '99.*"),
    ],
    ids=["cut", "immense"],
)
def test_descriptions_that_are_cut_or_immense_say_what_was_expected(text: str, message: str, tmp_path: Path) -> None:
    """A file of JSON that ends early, and a number of thousands of digits."""
    path = tmp_path / "written.json"
    path.write_text(text)
    with pytest.raises(InvalidDataset, match=message):
        Written.read(path)
