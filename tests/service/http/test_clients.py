"""Clients that ask for an upgrade to HTTP/2 with every request get their scores; web pages of others get none."""

import functools
import http.server
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.encoded import encode, picture
from tests.service.live import CLIENT, LiveService, base64_pair

pytestmark = pytest.mark.slow

_SECONDS = 120

JAVA = """
import java.net.URI;
import java.net.http.*;
import java.nio.file.*;

public class Client {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient();
        for (int i = 0; i < 3; i++) {
            HttpRequest request = HttpRequest.newBuilder(URI.create(arguments[0]))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofFile(Path.of(arguments[1]))).build();
            HttpResponse<String> answer = client.send(request, HttpResponse.BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.body());
        }
    }
}
"""
NODE = """
const http = require("http"), fs = require("fs");
const body = fs.readFileSync(process.argv[3]);
const agent = new http.Agent({ keepAlive: true });
function ask(left) {
  if (left === 0) return agent.destroy();
  const headers = { "Content-Type": "application/json", Connection: "Upgrade, HTTP2-Settings", Upgrade: "h2c",
    "HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA", "Content-Length": body.length };
  const request = http.request(process.argv[2], { method: "POST", agent, headers }, (answer) => {
    let text = "";
    answer.on("data", (piece) => (text += piece));
    answer.on("end", () => { console.log(answer.statusCode + " " + text); ask(left - 1); });
  });
  request.end(body);
}
ask(3);
"""
GO = """
package main

import ("bytes"; "fmt"; "io"; "net/http"; "os")

func main() {
    body, _ := os.ReadFile(os.Args[2])
    for i := 0; i < 3; i++ {
        request, _ := http.NewRequest("POST", os.Args[1], bytes.NewReader(body))
        request.Header.Set("Content-Type", "application/json")
        request.Header.Set("Connection", "Upgrade")
        request.Header.Set("Upgrade", "h2c")
        answer, err := http.DefaultClient.Do(request)
        if err != nil { panic(err) }
        text, _ := io.ReadAll(answer.Body)
        fmt.Println(answer.StatusCode, string(text))
    }
}
"""


def needs(program: str) -> str:
    """The program, or a skipped test where this machine has none."""
    return shutil.which(program) or pytest.skip(f"this machine has no {program}")


@pytest.fixture(scope="module")
def body(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a request."""
    path = tmp_path_factory.mktemp("body") / "request.json"
    pairs = [base64_pair(encode(picture()), encode(picture(seed=seed))) for seed in range(9)]
    path.write_text(json.dumps({"pairs": pairs}))
    return path


def answers(*command: str | Path) -> list[dict[str, object]]:
    """The bodies of the answers that a client prints, one a line behind its status, which must be 200."""
    shown = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)
    lines = [line.partition(" ") for line in shown.stdout.splitlines()]
    assert lines and {status for status, *_ in lines} == {"200"}, shown.stdout[:500] + shown.stderr[-500:]
    return [json.loads(text) for *_, text in lines]


def test_curl_asks_for_http2(service: LiveService, body: Path) -> None:
    """`curl --http2` sends its body with the wish to upgrade."""
    command = [needs("curl"), "--http2", "-s", "-H", "Content-Type: application/json", "-d", f"@{body}"]
    several = [f"{service.url}/score"] * 3
    each = [argument for url in several for argument in ("-w", "", url)]
    shown = subprocess.run([*command, *each], capture_output=True, text=True, check=True, timeout=_SECONDS).stdout
    assert shown.count('"max_leakage"') == 3, shown[:500]


def test_java_asks_for_http2(service: LiveService, body: Path, tmp_path: Path) -> None:
    """Java's HttpClient asks for HTTP/2 by default."""
    java = needs("java")
    modules = subprocess.run([java, "--list-modules"], capture_output=True, text=True, check=True, timeout=_SECONDS)
    if "jdk.compiler" not in modules.stdout:
        pytest.skip("this machine's Java cannot compile")
    source = tmp_path / "Client.java"
    source.write_text(JAVA)
    assert len(answers(java, source, f"{service.url}/score", body)) == 3


def test_node_asks_for_http2(service: LiveService, body: Path, tmp_path: Path) -> None:
    """Node, told to ask for it, with its body and over one connection."""
    source = tmp_path / "client.js"
    source.write_text(NODE)
    assert len(answers(needs("node"), source, f"{service.url}/score", body)) == 3


def test_go_asks_for_http2(service: LiveService, body: Path, tmp_path: Path) -> None:
    """Go, told to ask for it, with its body and over one connection."""
    source = tmp_path / "client.go"
    source.write_text(GO)
    assert len(answers(needs("go"), "run", source, f"{service.url}/score", body)) == 3


@contextmanager
def pages(folder: Path) -> Iterator[int]:
    """The port of a web server of somebody else's pages."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()


def browse(url: str, profile: Path) -> str:
    """The page that a browser shows, for which evil.example is this machine."""
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--timeout=8000"]
    rules = "--host-resolver-rules=MAP evil.example 127.0.0.1"
    command = [needs("chromium"), *options, rules, "--virtual-time-budget=8000", "--dump-dom", url]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS).stdout


def scored(service: LiveService) -> float:
    """The number of requests over HTTP that the service has taken."""
    text = CLIENT.get(f"{service.url}/metrics").text
    return sum(map(float, re.findall(r'^semsim_requests_total\{.*transport="http".*\} (\S+)', text, re.MULTILINE)))


def test_a_page_of_somebody_else_reads_and_scores_nothing(service: LiveService, tmp_path: Path) -> None:
    """A page can neither read by a name that leads here (DNS rebinding), nor post from its own origin."""
    assert "manifest" in browse(f"{service.url}/model", tmp_path / "own")
    taken = scored(service)
    assert taken
    port = service.url.rpartition(":")[2]
    assert "forbidden" in browse(f"http://evil.example:{port}/model", tmp_path / "rebound")
    (tmp_path / "page.html").write_text(
        f"<p id=said>nothing</p><script>fetch('{service.url}/score', {{method: 'POST', mode: 'no-cors', body: '{{}}'}})"
        ".then(answer => { document.getElementById('said').textContent = 'sent, ' + answer.type; });</script>"
    )
    with pages(tmp_path) as foreign:
        assert "sent, opaque" in browse(f"http://evil.example:{foreign}/page.html", tmp_path / "foreign")
    assert scored(service) == taken
