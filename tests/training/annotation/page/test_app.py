"""The page over HTTP, without a browser."""

import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from httpx import Response
from PIL import Image
from starlette.testclient import TestClient

from semsim_training.annotation.items import Shown
from semsim_training.annotation.page.annotation_study import AnnotationStudy, StudySettings
from semsim_training.annotation.page.study_database import StudyDatabase
from semsim_training.annotation.page.web_app import create_app
from tests.training.annotation.page.clock import Clock
from tests.training.annotation.page.people import ADA, enrol
from tests.training.annotation.sets import SECRETS, write_set

SETTINGS = StudySettings(annotators=2, clean=0.1, noise=0.1, repeats=0.1, practice=2, repeat_distance=2)
HERE = {"origin": "http://testserver"}


class Site:
    """The page of a study. Every browser has its own cookies."""

    def __init__(self, database: StudyDatabase, study: AnnotationStudy) -> None:
        self.study, self.database, self.clock = study, database, Clock()
        self.app = create_app(study, database, self.clock)

    def browser(self) -> TestClient:
        """A browser that has not been here."""
        return TestClient(self.app, headers=HERE)

    def annotator(self) -> TestClient:
        """A browser whose annotator has consented and practised."""
        browser = self.browser()
        browser.post("/consent", data={"consent": "yes"})
        for number in range(self.study.settings.practice):
            assert browser.post("/practice", data={"number": number, "choice": "unrecognizable"}).status_code == 200
        return browser

    def count(self, table: str) -> int:
        """Rows of a table."""
        with self.database.transaction() as connection:
            return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


@contextmanager
def site_of(folder: Path, small_set: Path, settings: StudySettings) -> Iterator[Site]:
    """The page of a study of the small set with these settings."""
    study = AnnotationStudy.read([small_set], settings)
    with closing(StudyDatabase.for_study(folder / "page.sqlite", study)) as database:
        yield Site(database, study)


@pytest.fixture
def site(tmp_path: Path, small_set: Path) -> Iterator[Site]:
    """The page of the small set."""
    with site_of(tmp_path, small_set, SETTINGS) as site:
        yield site


@pytest.fixture
def site_without_originals(tmp_path: Path, small_set: Path) -> Iterator[Site]:
    """A page that shows no clean original: one after its reconstruction would keep the judgement from being undone."""
    with site_of(tmp_path, small_set, replace(SETTINGS, clean=0.0)) as site:
        yield site


def token(response: Response) -> str:
    """The token of the image that a page shows."""
    match = re.search(r'name="token" value="([^"]+)"', response.text)
    assert match, response.text
    return match[1]


def answer(browser: TestClient, choice: str = "unrecognizable", **fields: object) -> Response:
    """Look at the page and answer."""
    return browser.post("/judge", data={"token": token(browser.get("/judge")), "choice": choice, **fields})


def test_consent_comes_first(site: Site) -> None:
    """Before consent nothing is shown or stored. Then a cookie that scripts cannot read holds the pseudonym."""
    browser = site.browser()
    assert browser.get("/").url.path == "/consent"
    for path in ("/practice", "/practice/0.png", "/judge", "/image/x.png"):
        assert browser.get(path).status_code == 403
    assert browser.post("/judge", data={"token": "", "choice": "skip"}).status_code == 403
    refused = browser.post("/consent", data={})
    assert refused.status_code == 400
    assert "expected your consent" in refused.text
    assert site.count("annotator") == 0
    done = browser.post("/consent", data={"consent": "yes"}, follow_redirects=False)
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert browser.get("/").url.path == "/practice"
    with site.database.transaction() as connection:
        row = connection.execute("SELECT * FROM annotator").fetchone()
    assert (row["protocol"], row["consented_at"]) == ("page/1", site.clock.now)


def test_a_pseudonym_goes_on_elsewhere(site: Site) -> None:
    """A pseudonym works however it is typed. An unknown one is refused. Leaving forgets it in this browser."""
    first = site.annotator()
    pseudonym = first.cookies["semsim_annotator"]
    assert re.fullmatch("[a-z2-9]{4}-[a-z2-9]{4}", pseudonym)
    shown = token(first.get("/judge"))
    second = site.browser()
    refused = second.post("/continue", data={"pseudonym": "abcd-efgh"})
    assert refused.status_code == 400
    assert "got &#39;abcd-efgh&#39;" in refused.text
    second.post("/continue", data={"pseudonym": f" {pseudonym.upper().replace('-', ' ')} "})
    assert token(second.get("/judge")) == shown
    assert second.post("/leave").url.path == "/consent"
    assert second.get("/judge").status_code == 403


def test_practice_gives_feedback_and_does_not_count(site: Site) -> None:
    """Practice says right and wrong, and counts an answer that is sent twice once. Then comes the first image."""
    browser = site.browser()
    browser.post("/consent", data={"consent": "yes"})
    cards = site.study.practice(browser.cookies["semsim_annotator"])
    assert browser.get("/judge").url.path == "/practice"
    assert browser.get("/practice/1.png").status_code == 404
    assert "Practice 1 of 2" in browser.get("/practice").text
    right = browser.post("/practice", data={"number": 0, "choice": f"class:{cards[0].item.truth}"})
    assert "Right." in right.text
    assert browser.post("/practice", data={"number": 0, "choice": "unrecognizable"}).url.path == "/practice"
    wrong = browser.post("/practice", data={"number": 1, "choice": "class:class_0"})
    assert "Not this time." in wrong.text
    assert "This was noise" in wrong.text
    assert browser.get("/practice").url.path == "/judge"
    assert site.count("judgement") == 0


def test_answers_skips_and_undo(site_without_originals: Site) -> None:
    """Each step leads to a page that says what happened."""
    site = site_without_originals
    browser = site.annotator()
    assert answer(browser, "class:class_1", seconds="0.5").url.query == b""
    site.clock.now += 1
    assert "Skipped: you will not see that image again." in answer(browser, "skip").text
    undone = answer(browser, "undo")
    assert "Undone: this is the image before." in undone.text
    assert "0 judged" in undone.text
    assert "There is no answer to undo." in answer(browser, "undo").text
    shown = token(browser.get("/judge"))
    answer(browser)
    again = browser.post("/judge", data={"token": shown, "choice": "class:class_2"})
    assert "nothing was recorded twice" in again.text
    assert site.count("judgement") == 2


def test_until_nothing_is_left(site: Site) -> None:
    """The last page thanks, says how many images were judged, and can undo."""
    browser = site.annotator()
    count = 0
    while browser.get("/judge").text.count('name="seconds"'):
        answer(browser)
        count += 1
    assert f"You have judged <b>{count}</b>" in browser.get("/judge").text
    back = browser.post("/judge", data={"token": "", "choice": "undo"})
    assert f"{count - 1} judged, 1 left" in back.text


def test_a_pause_is_held_and_refused_when_it_was_too_long(site: Site) -> None:
    """A pause is answered with 200 while the image is kept, and with 409 once it is not."""
    browser = site.annotator()
    shown = token(browser.get("/judge"))
    assert browser.post("/hold", data={"token": shown}).json() == {"held": True}
    assert browser.post("/hold", data={"token": "other"}).status_code == 409


@pytest.mark.parametrize(
    ("path", "fields", "message"),
    [
        ("/judge", {"choice": "unrecognizable"}, "expected the field token, got choice"),
        ("/judge", {"token": "TOKEN"}, "expected the field choice, got token"),
        ("/judge", {"token": "TOKEN", "choice": "class:zebra"}, "expected a class or unrecognizable, got &#39;cl"),
        ("/judge", {"token": "TOKEN", "choice": "skip it"}, "expected a class or unrecognizable"),
        ("/judge", {"token": "TOKEN", "choice": "unrecognizable", "seconds": "nan"}, "expected seconds as a number"),
        ("/judge", {"token": "TOKEN", "choice": "unrecognizable", "seconds": "-1"}, "expected seconds as a number"),
        ("/judge", {"token": "TOKEN", "choice": "unrecognizable", "seconds": "soon"}, "expected seconds as a number"),
        ("/practice", {"number": "one", "choice": "unrecognizable"}, "expected number as a whole number"),
        ("/practice", {"number": "7", "choice": "unrecognizable"}, "expected the number of a practice image below 2"),
        ("/hold", {}, "expected the field token, got no fields"),
    ],
)  # fmt: skip
def test_bad_forms_are_refused_with_a_reason(site: Site, path: str, fields: dict[str, str], message: str) -> None:
    """A bad form is answered with 400, and nothing is recorded."""
    browser = site.annotator()
    shown = token(browser.get("/judge"))
    refused = browser.post(path, data={name: value.replace("TOKEN", shown) for name, value in fields.items()})
    assert refused.status_code == 400
    assert message in refused.text
    assert site.count("judgement") == 0
    assert token(browser.get("/judge")) == shown


def test_forms_of_other_sites_are_refused(site: Site) -> None:
    """Forms are refused from another origin, from none, and from the `null` of a sandbox."""
    browser = site.annotator()
    fields = {"token": token(browser.get("/judge")), "choice": "unrecognizable"}
    for origin in ("http://elsewhere.example", "null", "http://testserver.example"):
        assert browser.post("/judge", data=fields, headers={"origin": origin}).status_code == 403
    silent = TestClient(site.app, cookies=dict(browser.cookies))
    assert silent.post("/judge", data=fields).status_code == 403
    assert site.count("judgement") == 0
    assert silent.post("/judge", data=fields, headers={"sec-fetch-site": "same-origin"}).status_code == 200
    assert site.count("judgement") == 1


def test_every_answer_is_guarded(site: Site) -> None:
    """Every response forbids other hosts and frames, and tells the browser to store nothing."""
    browser = site.annotator()
    image = f"/image/{token(browser.get('/judge'))}.png"
    for path in ("/consent", "/judge", image, "/image/nothing.png", "/nowhere", "/static/page.js"):
        headers = browser.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == ("no-cache" if path.startswith("/static") else "no-store")


def test_images_are_pixels_of_ones_own(site: Site) -> None:
    """An image has the pixels without the file's text, and is there only for the annotator who is at it."""
    ada, bob = site.annotator(), site.annotator()
    shown = token(ada.get("/judge"))
    got = ada.get(f"/image/{shown}.png")
    assert got.headers["content-type"] == "image/png"
    picture = Image.open(io.BytesIO(got.content))
    assert picture.info == {}
    pixels = [np.asarray(Image.open(io.BytesIO(site.study.png(card)))) for card in site.study.cards]
    assert any(np.array_equal(np.asarray(picture), one) for one in pixels)
    assert bob.get(f"/image/{shown}.png").status_code == 404
    answer(ada)
    assert ada.get(f"/image/{shown}.png").status_code == 404


def test_nothing_leaks(tmp_path: Path, small_set: Path) -> None:
    """No response names a file, setting, attack, victim, defense or item. All pages of images are alike."""
    study = AnnotationStudy.read(
        [small_set], StudySettings(annotators=2, clean=0.2, noise=0.15, repeats=0.15, practice=2)
    )
    with closing(StudyDatabase.for_study(tmp_path / "page.sqlite", study)) as database:
        site = Site(database, study)
        browser = site.browser()
        paths = ("/", "/consent", "/static/page.js", "/static/page.css", "/nowhere")
        seen = [*map(browser.get, paths), browser.post("/consent", data={"consent": "yes"}, follow_redirects=False)]
        browser.post("/continue", data={"pseudonym": enrol(database, ADA)})  # whose gold is known
        for number in range(2):
            seen += [browser.get("/practice"), browser.get(f"/practice/{number}.png")]
            seen.append(browser.post("/practice", data={"number": number, "choice": "unrecognizable"}))
        alike = set()
        while 'name="seconds"' in (judge := browser.get("/judge")).text:
            name = token(judge)
            seen += [judge, browser.get(f"/image/{name}.png")]
            alike.add(re.sub(r'\d+ judged, \d+ left|max="\d+" value="\d+"', "", judge.text).replace(name, ""))
            fields = {"token": name, "choice": "unrecognizable"}
            seen.append(browser.post("/judge", data=fields, follow_redirects=False))
        with database.transaction() as connection:
            rows = connection.execute("SELECT DISTINCT shown FROM assignment JOIN item ON identifier = item").fetchall()
    assert {row["shown"] for row in rows} == set(Shown)
    assert len(alike) == 1
    words = [*SECRETS, *(card.item.identifier for card in study.cards), str(tmp_path)]
    for response in seen:
        everything = str(response.url).encode() + str(response.headers).encode() + response.content
        assert not [word for word in words if word.encode() in everything], response.url


def test_names_are_shown_as_text(tmp_path: Path, small_set: Path) -> None:
    """A class cannot inject markup, and its underscores are shown as spaces."""
    page = write_set(tmp_path / "set", name="<b>", classes=12, originals=12, settings=1)
    study = AnnotationStudy.read([page], SETTINGS)
    with closing(StudyDatabase.for_study(tmp_path / "page.sqlite", study)) as database:
        text = Site(database, study).annotator().get("/judge").text
    assert ">class 11</button>" in text
    assert "<b>" not in text.partition("<form")[2].partition("</form>")[0]
