"""The pages in a real browser, over the real service."""

import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families
from selenium.webdriver import Chrome
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.wait import WebDriverWait

from semsim.images import ResizeFilter, resize
from semsim_service.http.openapi import openapi
from semsim_service.settings import Settings
from semsim_service.web_page.static_files import static_files
from tests.chromium import needs_chromium, start_chromium
from tests.conftest import IMAGES, ROOT
from tests.service.live import CLIENT, LiveService, base64_pair, serving

pytestmark = [pytest.mark.slow, needs_chromium]

TOKEN = "a-token-that-nobody-guesses"  # noqa: S105
CONTRAST = (Path(__file__).parent / "contrast.js").read_text()


class Visitor:
    """Somebody with a browser at a service."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser, self.url = browser, url

    def visit(self, path: str = "/") -> None:
        """Open a page, and wait until it is ready."""
        self.browser.get(self.url + path)
        self.wait_for("document.body.dataset.ready === 'yes'")

    def run(self, script: str, *values: object) -> Any:
        """The value of a script."""
        return self.browser.execute_script(script, *values)

    def wait_for(self, condition: str) -> None:
        """Wait until a condition of JavaScript holds."""
        WebDriverWait(self.browser, 30, 0.02).until(lambda _: self.run(f"return {condition}"))

    def answer(self) -> str:
        """The kind of the verdict, once it is there."""
        self.wait_for("document.getElementById('result').dataset.kind !== 'none'")
        return str(self.run("return document.getElementById('result').dataset.kind"))

    def text(self, identifier: str) -> str:
        """The text of an element."""
        return str(self.run("return document.getElementById(arguments[0]).innerText", identifier))

    def complaints(self) -> list[str]:
        """The refused scripts, faults and lost files that the browser has told since the last time."""
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] != "INFO"]  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    """One browser for all tests."""
    started = start_chromium(tmp_path_factory.mktemp("chromium") / "profile")
    yield started
    started.quit()


@pytest.fixture
def visitor(browser: Chrome, service: LiveService) -> Visitor:
    """A visitor of the service with the bundled model."""
    return Visitor(browser, service.url)


def kind_of(result: dict[str, Any]) -> str:
    """The verdict that a result deserves."""
    if "error" in result:
        return "refused"
    if result["leakage"] is None:
        return "unknown"
    return "leaks" if result["recognizable"] else "unshown"


def counted(url: str) -> dict[str, float]:
    """The requests and the pairs that the service has counted, and the failed logins."""
    text = CLIENT.get(f"{url}/metrics").text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    names = ("semsim_requests_total", "semsim_pairs_total", "semsim_rejected_total")
    return {name: sum(sample.value for sample in samples if sample.name == name) for name in names}


def counted_at_rest(url: str) -> dict[str, float]:
    """The counts of a service at rest, once no request of an earlier test is under way any more."""
    before = counted(url)
    for _ in range(60):
        time.sleep(0.5)
        if (after := counted(url)) == before:
            return after
        before = after
    raise AssertionError("requests come in all the time")


def test_every_example_by_the_keyboard(visitor: Visitor, service: LiveService) -> None:
    """Each example gets the verdict and the numbers that the service gives its files, and nobody is told `safe`."""
    visitor.visit()
    kinds = []
    for button in visitor.browser.find_elements("css selector", ".example"):
        files = [
            CLIENT.get(service.url + str(button.get_attribute(f"data-{side}")))
            for side in ("original", "reconstruction")
        ]
        result = service.post([base64_pair(*(file.content for file in files))]).json()["results"][0]
        visitor.run("arguments[0].focus()", button)
        visitor.browser.switch_to.active_element.send_keys(Keys.ENTER)
        visitor.wait_for(f"document.getElementById('numbers').innerText.includes('{result['distance']:.4f}')")
        assert visitor.answer() == kind_of(result)
        kinds.append(visitor.answer())
        if result["leakage"] is not None:
            assert (
                f"{result['leakage']:.2f} ({result['leakage_low']:.2f} to {result['leakage_high']:.2f})"
                in visitor.text("numbers")
            )
            away = f"Its original, this pair, is {result['distance']:.2f} from it"
            assert away in visitor.text("numbers"), "the controls' histogram, by ear"
            assert visitor.run("return document.querySelectorAll('#numbers svg').length") == 3
        assert not re.search(r"\bsafe\b", visitor.run("return document.body.innerText"), re.IGNORECASE)
    assert set(kinds) == {"leaks", "unshown", "unknown"}
    assert visitor.complaints() == []


def test_a_leak_that_is_less_likely_than_not_is_told_as_such(visitor: Visitor) -> None:
    """Between the threshold and one half a pair leaks, and the page says that it may be a false alarm."""
    visitor.visit()
    script = """const [result, done] = arguments;
    import("/page/verdict.js").then(({ verdict }) => done(verdict(result, null)));"""
    result = {"recognizable": True, "uninformative": None, "identified": None}
    for leakage, doubtful in ((0.16, True), (0.49, True), (0.5, False), (0.9, False)):
        told = visitor.browser.execute_async_script(script, result | {"leakage": leakage})
        assert told["kind"] == "leaks"
        assert any("may also be a false alarm" in sentence for sentence in told["sentences"]) == doubtful


def test_files_of_ones_own(visitor: Visitor, service: LiveService) -> None:
    """Files are scored once both are there, can be exchanged, and are refused with the service's words."""
    visitor.visit()
    for side, name in (("original", "cat.jpg"), ("reconstruction", "cat_noise.png")):
        assert visitor.run("return document.getElementById('result').dataset.kind") == "none"
        visitor.browser.find_element("id", side).send_keys(str(IMAGES / name))
    assert visitor.answer() == "leaks"
    assert "160x160" in visitor.text("original-note")
    assert visitor.run("return document.getElementById('reconstruction-seen').width") == 32
    visitor.browser.find_element("id", "swap").click()
    visitor.wait_for("document.getElementById('original-note').innerText.includes('74.9 KiB')")
    exchanged = base64_pair(*((IMAGES / name).read_bytes() for name in ("cat_noise.png", "cat.jpg")))
    assert visitor.answer() == kind_of(service.post([exchanged]).json()["results"][0])
    visitor.browser.find_element("id", "original").send_keys(str(ROOT / "README.md"))
    visitor.wait_for("document.getElementById('sentences').innerText.includes('not_an_image')")
    assert visitor.answer() == "refused"
    assert visitor.text("numbers") == ""
    assert visitor.complaints() == []


def test_no_answer_stands_beside_another_pair(visitor: Visitor) -> None:
    """An answer is gone once another pair is chosen, also where the browser takes long to show it."""
    visitor.visit()
    leaks, shows_little = visitor.browser.find_elements("css selector", ".example")[1:3]
    shows_little.click()
    before = visitor.answer()
    visitor.run("window.createImageBitmap = () => new Promise(() => {})")
    leaks.click()
    visitor.wait_for(f"!['none', '{before}'].includes(document.getElementById('result').dataset.kind)")
    assert visitor.complaints() == []


def test_two_dropped_files_and_a_copied_request(visitor: Visitor) -> None:
    """Two files that are dropped anywhere are the original and the reconstruction, and the request can be copied."""
    visitor.visit()
    script = """
        const done = arguments[0];
        const names = ["coffee", "reconstruction-2"].map((name) => `/page/examples/${name}.png`);
        Promise.all(names.map(async (name) => new File([await (await fetch(name)).blob()], name))).then((files) => {
          const dataTransfer = new DataTransfer();
          for (const file of files) dataTransfer.items.add(file);
          const event = new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true });
          document.querySelector("header").dispatchEvent(event);
          done();
        });
    """
    visitor.browser.execute_async_script(script)
    assert visitor.answer() != "refused"
    assert "5.8 KiB" in visitor.text("reconstruction-note")
    visitor.browser.find_element("css selector", "[data-copies='as-curl']").click()
    visitor.wait_for("document.getElementById('copied').innerText")
    selected = str(visitor.run("return getSelection().toString()"))
    assert selected.startswith("curl -F original=@original.png")
    assert selected.rstrip().endswith(f"{visitor.url}/score")


def test_the_network_sees_what_the_browser_shows(visitor: Visitor) -> None:
    """The browser resizes as the service does, to the last bit, by each filter."""
    visitor.visit()
    script = """
        const [height, width, pixels, filter, done] = arguments;
        import("/page/resample.js").then(({ resample }) => {
          const picture = new ImageData(new Uint8ClampedArray(pixels), width, height);
          done([...resample(picture, 32, 20, filter).data]);
        });
    """
    random = np.random.default_rng(0)
    for height, width in ((64, 64), (11, 150), (20, 7)):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        opaque = np.concatenate([image, np.full((height, width, 1), 255, np.uint8)], axis=2)
        for kernel in ResizeFilter:
            shown = visitor.browser.execute_async_script(script, height, width, opaque.ravel().tolist(), kernel.value)
            assert np.array_equal(np.reshape(shown, (20, 32, 4))[..., :3], resize(image, 20, 32, kernel)), (
                height,
                width,
                kernel,
            )


def test_narrow_dark_and_by_ear(visitor: Visitor) -> None:
    """The page fits a narrow screen, every control has a name, and every text has a contrast of 4.5 in both colours."""
    for path, scheme in (("/", "light"), ("/", "dark"), ("/docs", "dark")):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        visitor.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        narrow = {"width": 340, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        visitor.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
        visitor.visit(path)
        if path == "/":
            visitor.run("document.querySelector('.example').click()")
            visitor.answer()
            visitor.wait_for("document.querySelector('#numbers svg')")
        assert visitor.run("return document.documentElement.scrollWidth") <= 340
        assert visitor.run(CONTRAST) == []
    visitor.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    visitor.visit()
    controls = visitor.browser.find_elements("css selector", "button, input, a")
    assert all(control.accessible_name for control in controls if control.is_displayed())
    assert visitor.browser.find_element("id", "result").aria_role == "status"


def test_the_viewer_shows_the_whole_document(visitor: Visitor) -> None:
    """`/docs` shows each operation and each schema of the OpenAPI document, and its links lead somewhere."""
    visitor.visit("/docs")
    shown = str(visitor.run("return document.body.textContent"))
    document = openapi()
    for path, methods in document["paths"].items():
        assert all(f"{method.upper()} {path}" in shown for method in methods)
    for name, schema in document["components"]["schemas"].items():
        assert all(field in shown for field in (name, *schema.get("properties", {})))
    links = visitor.run("return [...document.querySelectorAll('a[href^=\"#\"]')].map((link) => link.hash.slice(1))")
    assert all(visitor.run("return document.getElementById(arguments[0]) !== null", link) for link in set(links))
    examples = visitor.run("return [...document.querySelectorAll('details code')].map((code) => code.textContent)")
    assert set(json.loads(examples[0])) >= {"pairs"}
    assert visitor.complaints() == []


def test_who_looks_at_the_pages_is_not_counted(service: LiveService) -> None:
    """Neither a page nor its files count as requests or pairs, and a second look gets no second copy."""
    before = counted_at_rest(service.url)
    for path in static_files(Settings()):
        answer = CLIENT.get(service.url + path)
        assert answer.status_code == 200
        assert CLIENT.get(service.url + path, headers={"if-none-match": answer.headers["etag"]}).status_code == 304
    assert counted(service.url) == before


def test_a_service_with_a_token(browser: Chrome, tmp_path: Path, calibrated_artifact: Path) -> None:
    """Its page is seen without the token, asks for it before the service refuses anything, and keeps it nowhere."""
    with serving(tmp_path, SEMSIM_ARTIFACT=str(calibrated_artifact), SEMSIM_AUTH__TOKEN=TOKEN) as live:
        visitor = Visitor(browser, live.url)
        visitor.visit()
        visitor.browser.find_element("class name", "example").click()
        assert visitor.answer() == "refused"
        assert "asks for a token" in visitor.text("sentences")
        assert "Authorization: Bearer $TOKEN" in visitor.text("as-curl")
        assert counted(live.url)["semsim_rejected_total"] == 0
        field = visitor.browser.find_element("id", "token")
        field.send_keys("another-token-of-somebody", Keys.ENTER)
        visitor.wait_for("document.getElementById('sentences').innerText.includes('(unauthenticated)')")
        field.clear()
        field.send_keys(TOKEN, Keys.ENTER)
        visitor.wait_for("document.querySelector('#numbers svg')")
        assert "small 0.0.1" in visitor.text("card")
        kept = "return [localStorage.length, sessionStorage.length, document.cookie, location.href]"
        assert visitor.run(kept) == [0, 0, "", f"{live.url}/"]
        visitor.visit()
        assert visitor.run("return document.getElementById('token').value") == ""
        assert TOKEN.encode() not in live.log
