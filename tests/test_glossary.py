"""One word for one thing, and docstrings that stand alone."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.syntax import parsed

TEXT = {".py", ".md", ".html", ".yaml", ".yml", ".json", ".proto", ".cpp", ".hpp", ".js", ".sh", ".toml", ".tpl", ".j2"}
FRAGMENT = re.compile(r"\s*(Of|What|Which|Whether)\b")
GLOSSARY = ROOT / "docs" / "glossary.md"
EXEMPT = {
    "CHANGELOG.md": "tells what was renamed",
    "docs/glossary.md": "names the words",
    "tests/test_glossary.py": "looks for them",
    "tests/training/annotation/label_studio/test_labelling_export.py": "holds Label Studio's own field names",
}


def tracked() -> list[Path]:
    """The text files of the repository that people wrote."""
    names = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\n")
    paths = [ROOT / name for name in names if name and name not in EXEMPT]
    return [path for path in paths if path.is_file() and (path.suffix in TEXT or path.name == "Makefile")]


def banned() -> list[str]:
    """The words of the glossary's last column."""
    rows = re.findall(r"^\|.*\|([^|]*)\|$", GLOSSARY.read_text(), re.MULTILINE)[2:]
    return [word.strip() for row in rows for word in row.split(",") if word.strip()]


def spaced(text: str) -> str:
    """The text with the words of identifiers apart: ``read_votes`` and ``VoteTable`` both hold a word."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|_", " ", text)


@pytest.mark.parametrize("word", banned())
def test_banned_synonyms_are_found_nowhere(word: str) -> None:
    """The project uses the glossary's word, in the singular and the plural."""
    pattern = re.compile(rf"(?<![\w/]){word}s?(?![\w/])", re.IGNORECASE)
    for path in tracked():
        for number, line in enumerate(path.read_text().splitlines(), start=1):
            assert not pattern.search(spaced(line)), f"{path.relative_to(ROOT)}:{number}"


def test_docstrings_stand_alone() -> None:
    """No docstring, of a module, class, function or attribute, begins with Of, What, Which or Whether."""
    for path in tracked():
        if path.suffix != ".py":
            continue
        for node in ast.walk(parsed(path)):
            if (
                isinstance(node, ast.Expr)
                and isinstance(node.value, ast.Constant)
                and isinstance(node.value.value, str)
            ):
                assert not FRAGMENT.match(node.value.value), f"{path.relative_to(ROOT)}:{node.lineno}"
