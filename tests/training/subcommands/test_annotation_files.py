"""The commands of contact sheets, agreement and Label Studio, from a set to a table of judgements."""

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from semsim.exceptions import InvalidAnnotations, InvalidOption
from semsim_training.annotation.judgements import AnnotatorKind, read
from semsim_training.annotation.keys import SheetKey
from semsim_training.subcommands.annotate_command import app
from tests.training.annotation.sets import write_set

pytestmark = pytest.mark.slow

SHEETS = ("--split", "test", "--limit", 40, "--clean", 3, "--noise", 2, "--repeats", 2)


def annotate(*arguments: object) -> str:
    """The text that `semsim annotate` prints. Its errors are raised."""
    return CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False).stdout


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set of 303 reconstructions, a third of them of the split test."""
    return write_set(tmp_path_factory.mktemp("sets") / "set", classes=3, originals=303, settings=1)


@pytest.fixture(scope="module")
def answered(dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Contact sheets of two people and a model, answered by all right, all unrecognizable, and all right again."""
    root = tmp_path_factory.mktemp("answered")
    for name, kind in {"ada": "person", "bob": "person", "net": "vision_model"}.items():
        said = annotate("sheets", dataset, root / name, "--annotator", name, "--seed", 3, *SHEETS)
        assert said == f"{root / name}: 47 tiles on 2 sheets; key at {root / name}.key.json\n"
        key = SheetKey.read(root / f"{name}.key.json")
        answers = {tile: -1 if name == "bob" else item.truth or -1 for tile, item in key.tiles.items()}
        (root / f"{name}.json").write_text(json.dumps(answers))
        said = annotate("import", root / f"{name}.key.json", root / f"{name}.json", root / "table", "--kind", kind)
        assert said == f"{root / 'table'}: 47 judgements added, 0 there already, 0 refused\n"
    return root


@pytest.fixture
def table(answered: Path, tmp_path: Path) -> Path:
    """A copy of the table of judgements, to add to."""
    return shutil.copytree(answered / "table", tmp_path / "table")


def test_sheets_become_judgements_and_agreement(dataset: Path, table: Path) -> None:
    """A set leads through sheets, keys and answers to alpha, for each kind apart."""
    assert len(read(table)) == 3 * 47
    text = annotate("agreement", table, "--dataset", dataset)
    assert text.startswith("small, people: 40 reconstructions judged, 40 of them by two annotators or more\n")
    assert "draws of originals" in text
    people, models = json.loads(annotate("agreement", table, "--json", "--draws", 100))
    assert (people["kind"], models["kind"], people["drawn"]) == ("person", "vision_model", "items")
    assert people["recognised"]["value"] < 0
    assert models["classes"]["reason"] == "no item was judged by two annotators"
    ada, bob = people["annotators"]
    assert (ada["clean"]["value"], ada["noise"]["value"], ada["repeats"]["value"]) == (1, 1, 1)
    assert (bob["clean"]["count"], bob["noise"]["count"], bob["recognised"]["count"]) == (0, 2, 0)


def test_agreement_is_written_into_a_page(dataset: Path, table: Path, tmp_path: Path) -> None:
    """The page gets a row for each set and kind; --qualified leaves out who named no clean item."""
    page = tmp_path / "page.md"
    page.write_text("<!-- agreement -->\n<!-- agreement -->\n")
    given = ("agreement", table, "--dataset", dataset, "--draws", 100, "--write", page)
    assert annotate(*given) == ""
    people, models = (line for line in page.read_text().splitlines() if line.startswith("| `small`"))
    assert people.startswith("| `small` | 2 people | 40 | 80 | 50.0% | -0.")
    assert people.endswith("| 3 of 6 | 4 of 4 |")
    assert "| 1 vision model | 40 | 40 | 100.0% | none: no item was judged by two annotators |" in models
    assert "95% intervals of 100 draws of originals." in page.read_text()
    annotate(*given, "--qualified")
    assert "| `small` | 1 person | 40 | 40 | 100.0% |" in page.read_text()


def test_answers_are_taken_in_again_when_they_are_mended(answered: Path, tmp_path: Path) -> None:
    """A bad answer is refused, told and ends with 1; the others are added, and the mended one is added later."""
    answers = json.loads((answered / "ada.json").read_text())
    table, first = tmp_path / "table", min(answers, key=int)
    (tmp_path / "less.json").write_text(json.dumps(answers | {first: "no class"}))
    arguments = ["import", answered / "ada.key.json", tmp_path / "less.json", table, "--kind", "person"]
    ended = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False)
    assert ended.exit_code == 1
    assert ended.stdout == f"{table}: 46 judgements added, 0 there already, 1 refused\n"
    assert f'for tile {first}, got "no class"' in ended.stderr
    said = annotate("import", answered / "ada.key.json", answered / "ada.json", table, "--kind", "person")
    assert said == f"{table}: 1 judgements added, 46 there already, 0 refused\n"
    assert {one.key: one for one in read(table)} == {
        one.key: one for one in read(answered / "table") if one.annotator == "ada"
    }


def test_label_studio_there_and_back(dataset: Path, table: Path, tmp_path: Path) -> None:
    """Tasks go out with known judgements. The import adds the judgements that the table does not have."""
    said = annotate(
        "label-studio", "export", dataset, tmp_path / "ls", "--split", "test", "--side", 64, "--judgements", table
    )
    assert said == f"{tmp_path / 'ls'}: 101 tasks; key at {tmp_path / 'ls.key.json'}\n"
    tasks = json.loads((tmp_path / "ls" / "tasks.json").read_text())
    assert sum(len(task["annotations"]) for task in tasks) == 80
    assert sum(len(task["predictions"]) for task in tasks) == 40
    new = {"result": [{"from_name": "shows", "value": {"choices": ["class_1"]}}], "completed_by": 5, "lead_time": 1.0}
    tasks[0]["annotations"].append(new)
    (tmp_path / "export.json").write_text(json.dumps(tasks))
    for added, there in ((1, 80), (0, 81)):
        said = annotate(
            "label-studio", "import", tmp_path / "ls.key.json", tmp_path / "export.json", table, "--annotator", "5=eve"
        )
        assert said == f"{table}: {added} judgements added, {there} there already, 0 refused\n"
    last = read(table)[-1]
    assert (last.annotator, last.answer, last.seconds, last.kind) == ("eve", "class_1", 1.0, AnnotatorKind.PERSON)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("sheets", "set", "out", "--annotator", "ada", "--split", "tset"),
            "expected --split train, validation, test",
        ),
        (
            ("sheets", "set", "out", "--annotator", "ada", "--kind", "classifier"),
            "expected --kind person or vision_m",
        ),
        (
            ("label-studio", "import", "key", "export", "table", "--annotator", "5"),
            "expected --annotator USER=NAME, got 5",
        ),
    ],
)
def test_options_that_mean_nothing_are_refused(arguments: tuple[object, ...], message: str, tmp_path: Path) -> None:
    """The error says what was expected, and nothing is written."""
    (tmp_path / "key").write_text(json.dumps({"protocol": "label-studio/1", "classes": ["cat"], "items": []}))
    named = [tmp_path / str(one) if one in ("out", "key", "export", "table") else one for one in arguments]
    with pytest.raises(InvalidOption, match=message):
        annotate(*named)
    assert [path.name for path in tmp_path.iterdir()] == ["key"]


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    """An empty table holds nothing to compare."""
    with pytest.raises(InvalidAnnotations, match=r"expected judgements in .*, got none"):
        annotate("agreement", tmp_path)
