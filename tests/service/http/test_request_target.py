"""A target that is a whole URL names the host, whatever the header says."""

import socket
from contextlib import closing

import pytest

from semsim_service.http.refused import RefusedConnection
from semsim_service.http.request_target import in_origin_form
from tests.service.live import LiveService


@pytest.mark.parametrize(
    ("target", "expected", "host"),
    [
        (b"/model?x", b"/model?x", b"header"),
        (b"//other/x", b"//other/x", b"header"),
        (b"http://localhost", b"/", b"localhost"),
        (b"HTTP://localhost:80?x", b"/?x", b"localhost:80"),
        (b"https://evil.example/model?a/b", b"/model?a/b", b"evil.example"),
    ],
)
def test_the_host_of_a_url_is_the_requests(target: bytes, expected: bytes, host: bytes) -> None:
    """A URL's path is the path, and its host takes the place of the header."""
    headers = [(b"host", b"header"), (b"accept", b"*/*")]
    assert in_origin_form(target, headers) == expected
    assert sorted(headers) == [(b"accept", b"*/*"), (b"host", host)]


@pytest.mark.parametrize("target", [b"http:///model", b"http://user@localhost/model", b"http://?x"])
def test_urls_without_a_host_or_with_a_user_are_refused(target: bytes) -> None:
    """They say nothing that a client of this service says."""
    with pytest.raises(RefusedConnection, match="expected a URL of a host"):
        in_origin_form(target, [])


@pytest.mark.parametrize("target", [b"ftp://localhost/model", b"javascript://localhost/model", b"model", b"host:80"])
def test_what_is_no_target_of_http_is_refused(target: bytes) -> None:
    """A path is one of this service, a URL one of HTTP."""
    with pytest.raises(RefusedConnection, match="expected a path, or a URL of HTTP"):
        in_origin_form(target, [])


@pytest.mark.parametrize(
    ("target", "status"),
    [
        (b"http://localhost/model", b"200"),
        (b"http://localhost", b"200"),
        (b"http://evil.example/model", b"403"),
        (b"ftp://localhost/model", b"400"),
    ],
)
def test_the_service_checks_the_host_of_a_url(service: LiveService, target: bytes, status: bytes) -> None:
    """A request to another host is refused, also behind a header that names this one."""
    host, port = service.url.removeprefix("http://").split(":")
    with closing(socket.create_connection((host, int(port)), timeout=20)) as connection:
        connection.sendall(b"GET %b HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" % target)
        assert connection.recv(4096).split()[1] == status
