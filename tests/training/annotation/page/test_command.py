"""The commands `semsim annotate serve` and `semsim annotate collect`."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from semsim.exceptions import SemSimError
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from semsim_training.annotation.page.study_database import StudyDatabase
from semsim_training.subcommands.annotate_command import app
from tests.service.live import free_port

PROGRAM = "from semsim.commands.main import main; main()"


def test_serve_says_where_and_ends_quietly(tmp_path: Path, small_set: Path) -> None:
    """The page listens on a free port, keeps its database with the set, and ends without error when interrupted."""
    command = [sys.executable, "-c", PROGRAM, "annotate", "serve", str(small_set), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        url = line.split()[0]
        assert "12 reconstructions, 5 annotators each" in line
        answer = httpx.get(f"{url}consent")
        process.send_signal(2)
        _, errors = process.communicate(timeout=30)
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert process.returncode == 0
    assert errors == ""
    database = small_set / "annotations" / "page.sqlite"
    done = CliRunner().invoke(app, ["collect", str(database), str(tmp_path / "table")])
    assert done.stdout == f"{tmp_path / 'table'}: 0 judgements added\n"
    database.unlink()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--host", "localhost"], "expected --host to be an IP address, got localhost"),
        (["--host", "192.0.2.1"], "expected a free address to listen on, got 192.0.2.1"),
        (["--clean", "0.4", "--noise", "0.4"], "expected shares of clean, noise and repeats of at most 0.5"),
        (["--split", "holdout"], "expected --split train, validation, test, got holdout"),
        (["--seed", "1"], "expected a database of this study at"),
    ],
)
def test_errors_name_what_came(tmp_path: Path, small_set: Path, options: list[str], message: str) -> None:
    """Each error says what was expected and what was given."""
    database = tmp_path / "page.sqlite"
    StudyDatabase.for_study(database, AnnotationStudy.read([small_set], StudySettings())).close()
    arguments = ["serve", str(small_set), "--database", str(database), "--port", str(free_port()), *options]
    done = CliRunner().invoke(app, arguments)
    assert isinstance(done.exception, SemSimError)
    assert message in str(done.exception)


def test_annotation_needs_no_torch() -> None:
    """The page needs only what the extra `annotate` brings. No annotation needs torch, nor do a recogniser's files."""
    code = (
        "import sys;"
        "from semsim_training.annotation.page import collect, server, web_app;"
        "assert not {'torch', 'scipy', 'yaml', 'rich'} & set(sys.modules);"
        "from semsim_training.annotation import agreement_table;"
        "from semsim_training.annotation.label_studio import labelling_export;"
        "from semsim_training.annotation.sheets import sheet_answers;"
        "from semsim_training.recognition import recogniser_configuration, recogniser_description;"
        "assert not {'torch', 'timm', 'matplotlib'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
