"""A request is for this service and says one thing: other hosts, foreign pages and repeated headers are refused."""

import logging
import time

import pytest
from starlette.responses import Response
from starlette.testclient import TestClient

from semsim_service.http.front_door import FrontDoor
from semsim_service.observing.limited_lines import LINES_A_SECOND
from semsim_service.settings import Settings
from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

TOKEN = {"auth": {"token": "a-token-that-nobody-guesses"}}
PROXY = {"http": {"hosts": ["Metrics.example"]}}


def status(settings: dict[str, object], server: str = "127.0.0.1", path: str = "/model", **headers: str) -> int:
    """The status that a request gets of an application that answers everything with 200."""

    async def answer(scope: object, receive: object, send: object) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})  # type: ignore[operator]
        await send({"type": "http.response.body"})  # type: ignore[operator]

    async def at_server(scope: dict[str, object], receive: object, send: object) -> None:
        scope |= {"server": (server, 3000)}
        await FrontDoor(answer, Settings.model_validate(settings))(scope, receive, send)  # type: ignore[arg-type]

    return TestClient(at_server).get(path, headers=headers).status_code  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:3000", "127.0.0.1:3000", "127.1.2.3", "[::1]:3000", "[::1]", "localhost."]
)
def test_loopback_has_names(host: str) -> None:
    """Every name of loopback is the service's own."""
    assert status({}, host=host) == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "evil.example:3000", "localhost.evil.example", "127.0.0.1.evil.example", "10.0.0.1"),
        *("0.0.0.0:3000", "[::1].evil.example:1", "[", "user@127.0.0.1", "2130706433", "127.0.0.1 evil", "localhost.."),
        *("localhost:evil.example", "localhost:80@evil.example", "[localhost]", "[::1"),
    ],
)
def test_other_hosts_are_refused_where_the_address_is_all_that_is_trusted(host: str) -> None:
    """By a name that leads here a web page could read scores."""
    assert status({}, host=host) == 403


def test_an_address_is_no_name_that_leads_elsewhere() -> None:
    """Beyond loopback any address is taken, and no name."""
    anonymous = {"auth": {"anonymous": True}}
    assert status(anonymous, "10.0.0.1", host="10.0.0.1:3000") == 200
    assert status(anonymous, "10.0.0.1", host="192.168.0.1:3000") == 200
    assert status(anonymous, "10.0.0.1", host="semsim.example") == 403


def test_callers_who_show_who_they_are_may_name_any_host() -> None:
    """With a token or a certificate the host is not asked for, unless the setting names some."""
    assert status(TOKEN, host="semsim.example") == 200
    assert status({"tls": {"certificate": "c.pem", "key": "k.pem"}}, host="semsim.example") == 200
    assert status(TOKEN | PROXY, host="semsim.example") == 403


def test_the_setting_allows_hosts_and_their_pages() -> None:
    """A host of the setting is allowed, whatever its case and port, and so are pages from it."""
    assert status(PROXY, host="metrics.Example:8443") == 200
    assert status(PROXY, host="localhost:3000", origin="https://metrics.example") == 200
    assert status(PROXY, host="localhost:3000", origin="https://other.example") == 403


def test_a_flood_of_refusals_is_a_few_lines(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """With the request log ten lines a second tell of refusals. The next one counts those that were left out."""
    now = 100.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    door = FrontDoor(Response("seen"), Settings.model_validate({"log": {"requests": True}}))
    silent = FrontDoor(Response("seen"), Settings())
    with caplog.at_level(logging.INFO, "semsim.requests"):
        for asked in (*[door] * 1000, silent):
            assert TestClient(asked).get("/model", headers={"host": "evil.example"}).status_code == 403
        now = 101.0
        assert TestClient(door).get("/none").status_code == 404
        assert TestClient(door).get("/model", headers={"host": "localhost"}).text == "seen"
    lines = [record.__dict__ for record in caplog.records if record.name == "semsim.requests"]
    assert [(line["code"], line["path"], line["left_out"]) for line in lines] == [
        *[("forbidden", "/model", 0)] * LINES_A_SECOND,
        ("not_found", None, 1000 - LINES_A_SECOND),
    ]


@pytest.mark.parametrize("settings", [{}, TOKEN])
@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:3000", 200),
        *((origin, 403) for origin in ("http://evil.example", "null", "", "http://localhost:8080", "http://localhost")),
        *(
            (origin, 403)
            for origin in ("localhost:3000", "http://localhost:3000.evil.example", "http://127.0.0.1:3000")
        ),
    ],
)
def test_pages_of_others_are_refused(settings: dict[str, object], origin: str, expected: int) -> None:
    """Only a page that the service gave itself may ask, since a browser asks with what the user may."""
    assert status(settings, host="localhost:3000", origin=origin) == expected


def test_health_checks_may_use_any_name() -> None:
    """They say nothing that is private, and orchestrators have names of their own."""
    for path in ("/livez", "/readyz", "/healthz"):
        assert status({}, path=path, host="pod.example", origin="http://evil.example") == 200


@pytest.mark.parametrize(
    "path", ["/schema.json", "/static_content/index.css", "/static_content/", "/v2/score", "/page/", "/score/submit"]
)
def test_no_other_paths_are_served(service: LiveService, path: str) -> None:
    """All that BentoML serves beside the documented endpoints is not found."""
    answer = CLIENT.get(f"{service.url}{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_score_has_a_version(service: LiveService) -> None:
    """/v1/score is /score."""
    pair = base64_pair(encode(picture()), encode(picture(seed=1)))
    answers = [CLIENT.post(f"{service.url}{path}", json={"pairs": [pair]}) for path in ("/score", "/v1/score")]
    assert answers[0].json() == answers[1].json()
    assert answers[1].status_code == 200


@pytest.mark.parametrize("name", ["authorization", "origin", "content-type", "x-semsim-shape"])
def test_a_header_that_is_given_twice_is_refused(service: LiveService, name: str) -> None:
    """Two values of one header say two things, of which a proxy may have read the other."""
    answer = CLIENT.get(f"{service.url}/model", headers=[(name, "a"), (name, "b")])
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_request")
    assert f"one header {name.title()}, got 2" in answer.json()["error"]["message"]


@pytest.mark.parametrize(("headers", "code"), [({"host": "evil.example"}, 403), ({"origin": "null"}, 403)])
def test_a_refusal_is_in_the_envelope(service: LiveService, headers: dict[str, str], code: int) -> None:
    """The message names the setting by which more is allowed."""
    answer = CLIENT.post(f"{service.url}/score", headers=headers, json={"pairs": []})
    assert (answer.status_code, answer.json()["error"]["code"]) == (code, "forbidden")
    assert "SEMSIM_HTTP__HOSTS" in answer.json()["error"]["message"]
