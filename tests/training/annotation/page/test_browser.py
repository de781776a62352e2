"""The page in a real browser, over the real server."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from semsim_training.annotation.judgements import read
from semsim_training.annotation.page.collect import collect
from semsim_training.annotation.page.study_database import StudyDatabase
from tests.chromium import needs_chromium, start_chromium
from tests.service.live import free_port
from tests.training.annotation.sets import write_set

pytestmark = [pytest.mark.slow, needs_chromium]


class Server:
    """`semsim annotate serve` in another process, on one port however often it starts."""

    def __init__(self, home: Path, *sets: Path, **options: object) -> None:
        self.port, self.database = free_port(), home / "page.sqlite"
        self._log = home / "server.log"
        pairs = {"port": self.port, "database": self.database, "practice": 2} | options
        named = [part for name, value in pairs.items() for part in (f"--{name}", str(value))]
        program = "from semsim.commands.main import main; main()"
        self._command = [sys.executable, "-c", program, "annotate", "serve", *map(str, sets), *named]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """The address of the first page."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start, and wait until it says that it listens."""
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT, env=os.environ)
        deadline = time.monotonic() + 60
        while b"http://" not in self._log.read_bytes():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.05)

    def kill(self) -> None:
        """End it without a chance to tidy up."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(timeout=30)


class Person:
    """An annotator with a browser and nothing but a keyboard."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.seen: list[bytes] = []
        """The pixels of every image, in the order of answering."""
        browser.get(url)

    def press(self, *keys: str) -> None:
        """Press keys, in whatever has the focus."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def press_and_wait(self, *keys: str) -> None:
        """Press keys that lead to another page."""
        before = self.browser.execute_script("return performance.timeOrigin")
        self.press(*keys)
        script = "return performance.timeOrigin !== arguments[0] && document.readyState === 'complete'"
        WebDriverWait(self.browser, 20, 0.02).until(lambda browser: browser.execute_script(script, before))
        self.wait_for_image()

    def wait_for_image(self) -> None:
        """Wait until the image of this page, if it has one, is shown."""
        script = "return !document.getElementById('shown') || document.body.dataset.ready === 'yes'"
        WebDriverWait(self.browser, 20, 0.02).until(lambda browser: browser.execute_script(script))

    def begin(self, *unrecognizable: str) -> None:
        """Consent and practise, with the keys that say unrecognizable."""
        self.press(Keys.SPACE, Keys.TAB)
        self.press_and_wait(Keys.ENTER)
        for _ in range(2):
            self.press_and_wait(*unrecognizable)
            self.press_and_wait(Keys.ENTER)

    def pixels(self) -> bytes:
        """The pixels that the browser drew."""
        script = """
            const image = document.getElementById("shown"), canvas = document.createElement("canvas");
            canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL();
        """
        return str(self.browser.execute_script(script)).encode()

    def answer(self, *keys: str) -> None:
        """Note what is shown and answer it."""
        self.seen.append(self.pixels())
        self.press_and_wait(*keys)

    @property
    def text(self) -> str:
        """All text of the page."""
        return str(self.browser.find_element("tag name", "body").text)

    @property
    def done(self) -> bool:
        """True where nothing is left."""
        return "Thank you." in self.text


Browsers = Callable[[], Chrome]


@pytest.fixture
def browsers(tmp_path: Path) -> Iterator[Browsers]:
    """A function that starts browsers, each with its own profile."""
    with ExitStack() as opened:

        def start() -> Chrome:
            number = len(list(tmp_path.glob("profile-*")))
            browser = start_chromium(tmp_path / f"profile-{number}")
            opened.callback(browser.quit)
            return browser

        yield start


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """A function that starts servers, which end with the test."""
    with ExitStack() as opened:

        def start(*sets: Path, **options: object) -> Server:
            server = Server(tmp_path, *sets, **options)
            server.start()
            opened.callback(server.kill)
            return server

        yield start


def test_two_at_once_with_undo_and_a_crash(tmp_path: Path, browsers: Browsers, started: Callable[..., Server]) -> None:
    """Two people use keyboards only, and the server is killed in the middle. Nothing is lost or shown twice."""
    small = write_set(tmp_path / "set", classes=3, originals=4, settings=2)
    server = started(small, annotators=2, clean=0, noise=0, repeats=0)
    people = [Person(browsers(), server.url) for _ in range(2)]
    for person in people:
        person.begin("u")
    ada, bob = people
    for person in (ada, bob, ada, bob, bob):
        person.answer("1")
    ada.press_and_wait(Keys.BACKSPACE)
    assert "Undone: this is the image before." in ada.text
    assert ada.pixels() == ada.seen.pop()
    ada.press_and_wait(Keys.BACKSPACE)
    assert ada.pixels() == ada.seen.pop()
    ada.answer("2")
    waiting = [person.pixels() for person in people]
    server.kill()
    server.start()
    for person, image in zip(people, waiting, strict=True):
        person.browser.refresh()
        person.wait_for_image()
        assert person.pixels() == image
    skipped = bob.pixels()
    bob.press_and_wait("s")
    while not all(person.done for person in people):
        for person in people:
            if not person.done:
                person.answer("u")
    # Eight reconstructions, without the two whose original was practised on.
    assert len(ada.seen) == len(set(ada.seen)) == 6
    assert len(bob.seen) == len(set(bob.seen)) == 5
    with closing(StudyDatabase.existing(server.database)) as database:
        collect(database, tmp_path / "table")
    judgements = read(tmp_path / "table")
    assert len(judgements) == len(ada.seen) + len(bob.seen)
    assert skipped not in bob.seen
    assert Counter(judgement.answer for judgement in judgements) == {"class_0": 3, "class_1": 1, None: 7}
    assert all(judgement.seconds is not None and 0 < judgement.seconds < 60 for judgement in judgements)


def test_many_classes_pause_and_upscaling(tmp_path: Path, browsers: Browsers, started: Callable[..., Server]) -> None:
    """Typing searches more than ten classes, a pause is no response time, and pixels can be hard or smooth."""
    many = write_set(tmp_path / "set", classes=12, originals=12, settings=1)
    server = started(many, clean=0, noise=0, repeats=0)
    ada = Person(browsers(), server.url)
    ada.begin("u", Keys.ENTER)
    ada.press(Keys.ESCAPE, "z")
    drawn = "return getComputedStyle(document.getElementById('shown'))"
    assert ada.browser.execute_script(f"{drawn}.imageRendering") == "pixelated"
    ada.press("p")
    assert "Paused." in ada.text
    assert ada.browser.execute_script(f"{drawn}.visibility") == "hidden"
    ada.press("u")  # does nothing while the image is hidden
    paused_at = time.monotonic()
    time.sleep(1)
    pause = time.monotonic() - paused_at
    ada.press("p")
    assert "Paused." not in ada.text
    shown_until = time.monotonic()
    ada.press("ss_1")
    assert "no such answer" in ada.text
    ada.press(*[Keys.BACKSPACE] * 4, "class 1")
    assert "Enter: class 1" in ada.text
    ada.press_and_wait("1", Keys.ENTER)
    assert ada.browser.execute_script(f"{drawn}.imageRendering") == "pixelated"
    ada.press_and_wait("u", Keys.ENTER)
    ada.press_and_wait(Keys.CONTROL, "z")
    assert "Undone" in ada.text
    ada.press("unrec", Keys.ESCAPE, "/", "class_")
    assert "no such answer" in ada.text
    ada.press(Keys.BACKSPACE)
    ada.press_and_wait(" 10", Keys.ENTER)
    with closing(StudyDatabase.existing(server.database)) as database:
        collect(database, tmp_path / "table")
    first, second = read(tmp_path / "table")
    assert (first.answer, second.answer) == ("class_11", "class_10")
    assert first.seconds is not None
    assert first.seconds < time.monotonic() - shown_until + 5 - pause
