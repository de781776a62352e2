"""The notebook runs from its first cell to its last, and is committed with what it then shows."""

import re
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import ROOT

NOTEBOOK = ROOT / "examples" / "quickstart.ipynb"
SMALL = "ITERATIONS = 120"


def read() -> Any:
    """The committed notebook."""
    return nbformat.read(NOTEBOOK, as_version=4)


def printed(notebook: Any) -> str:
    """The text that the cells print."""
    return "".join(
        output.get("text", "") for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs
    )


def verdicts(notebook: Any) -> dict[str, str]:
    """The verdict that the notebook prints on each update, by its title."""
    return dict(re.findall(r"^(.+?) +PSNR .*: (.+)$", printed(notebook), re.MULTILINE))


EXPECTED = {
    "the plain gradient": "leaks",
    "a darker photograph": "leaks",
    "a little noise": "leaks",
    "more noise": "not shown to leak by this attack",
    "more noise, smoother attack": "not shown to leak by this attack",
}


@pytest.mark.slow
def test_the_notebook_runs() -> None:
    """With short attacks it says the same of each update as with those that are committed."""
    notebook = read()
    (parameters,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters.source = SMALL
    NotebookClient(
        notebook, timeout=250, startup_timeout=120, resources={"metadata": {"path": NOTEBOOK.parent}}
    ).execute()
    assert verdicts(notebook) == EXPECTED


def test_the_committed_notebook_shows_what_it_says() -> None:
    """Every cell ran once, in order; PSNR prefers the picture that shows nothing; the file stays small."""
    notebook = read()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for cell in code for output in cell.outputs if output.output_type == "error"]
    assert verdicts(notebook) == EXPECTED
    figures = re.findall(
        r"^(.+?) +PSNR +([\d.]+) dB +SSIM +([\d.]+) +leakage ([\d.]+)", printed(notebook), re.MULTILINE
    )
    told = {title: [float(value) for value in values] for title, *values in figures}
    darker, blot = told["a darker photograph"], told["more noise, smoother attack"]
    assert darker[0] < blot[0]
    assert darker[2] > blot[2]
    assert NOTEBOOK.stat().st_size < 300_000


def test_the_notebook_calls_nothing_safe() -> None:
    """A defense is not shown to leak; that is no proof."""
    text = NOTEBOOK.read_text()
    assert not re.search(r"\b(safe|secure|protected|proven)\b", text, re.IGNORECASE)
    assert "not shown to leak by this attack" in text
