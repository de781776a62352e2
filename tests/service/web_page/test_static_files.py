"""The files of the pages: complete, strict, and made once."""

import re

import pytest
from starlette.testclient import TestClient

from examples.draw_pair import read_seen
from examples.page_examples import STATIC, page_examples
from semsim.uninformative import Uninformative
from semsim_service.http.app import HTTPTransport
from semsim_service.http.front_door import FrontDoor
from semsim_service.settings import Settings
from semsim_service.web_page.static_files import static_files

ENDPOINTS = {"/metrics", "/model", "/score", "/docs.json"}
TOKEN = {"token": "a-token-that-nobody-guesses"}


def client(**settings: object) -> TestClient:
    """A client of the routes behind the front door, with these settings."""
    chosen = Settings.model_validate(settings)
    app = FrontDoor(HTTPTransport(static_files(chosen)).app, chosen)
    return TestClient(app, base_url="http://localhost:3000")


def test_the_files_name_only_one_another() -> None:
    """Each address in a file is one of the service's, each file is named, and nothing is inline."""
    files = static_files(Settings())
    named = {"/", "/docs"}
    for path, file in files.items():
        if file.media_type == "image/png":
            continue
        text = file.body.decode()
        assert not re.search(
            r"<style|<script(?! type=\"module\" src=)|\s(style|on\w+)=|javascript:|@import|url\(", text
        ), path
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|localStorage", text), path
        named |= set(re.findall(r'(?:src|href|data-\w+)="(/[^"]*)"', text))
        named |= {f"/page/{name}" for name in re.findall(r'from "\./([^"]*)"', text)}
        foreign = set(re.findall(r"https?://[^\s\"'`)]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not foreign - {"https://github.com/python-pillow/Pillow,"}, path
    assert named - ENDPOINTS == set(files)


@pytest.mark.parametrize("path", sorted(static_files(Settings())))
def test_each_file_is_served_with_a_strict_policy_and_once(path: str) -> None:
    """The policy allows nothing from elsewhere and nothing inline, and who has the file gets no second copy."""
    answer = client().get(path)
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert set(policy.values()) <= {"'none'", "'self'", "'script'"}
    again = client().get(path, headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_the_pages_can_be_switched_off() -> None:
    """With http.page false none of their paths is there."""
    without = client(http={"page": False})
    assert {without.get(path).status_code for path in static_files(Settings())} == {404}
    assert without.get("/docs.json").status_code == 200


def test_the_page_says_whether_a_token_is_asked_for() -> None:
    """Anybody may see the page, and it knows without asking."""
    assert 'data-asks-token="no"' in client().get("/").text
    assert 'data-asks-token="yes"' in client(auth=TOKEN).get("/").text


@pytest.mark.parametrize("reason", Uninformative)
def test_the_page_has_words_for_each_reason(reason: Uninformative) -> None:
    """The page says in words why nothing can be told of a pair."""
    assert re.search(rf"^  {reason.value}:", (STATIC / "verdict.js").read_text(), re.MULTILINE)


def test_the_examples_are_those_of_the_photographs() -> None:
    """`python -m examples.page_examples` would write what is there."""
    pictures, buttons = page_examples(read_seen())
    assert {path.name: path.read_bytes() for path in (STATIC / "examples").iterdir()} == pictures
    assert buttons in (STATIC / "index.html").read_text()
