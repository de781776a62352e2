"""HTTP and gRPC both speak TLS and ask for a client's certificate where they are told to. Wrong files are refused."""

import ssl
from pathlib import Path

import grpc
import httpx
import pytest
from cryptography.hazmat.primitives import serialization

from semsim.exceptions import InvalidOption
from semsim.protos.semsim.v1 import scorer_pb2 as pb
from semsim.protos.semsim.v1.scorer_pb2_grpc import ScorerStub
from semsim_service.access.reloading import reload_all
from semsim_service.access.tls import check_tls
from semsim_service.grpc_transport.gate.server_tls import ServerTLS
from semsim_service.settings import TLSSettings
from tests.service.grpc_transport.certificates import Authority
from tests.service.guarded import AUTHORIZATION, Guarded

_HEADERS = {"authorization": AUTHORIZATION}


def test_a_client_with_a_certificate_is_served(guarded: Guarded) -> None:
    """A client with a certificate is served over HTTP and gRPC, with the same files."""
    with guarded.client() as client:
        assert client.get("/model").status_code == 200
    with guarded.channel() as channel:
        model = ScorerStub(channel).GetModel(pb.GetModelRequest(), metadata=tuple(_HEADERS.items()), timeout=20)
        assert model.manifest_json


def test_a_client_without_a_certificate_is_not(guarded: Guarded) -> None:
    """With mutual TLS the connection of any other client ends before a request is read, as one in plain text does."""
    with httpx.Client(verify=guarded.trust(certificate=False), headers=_HEADERS) as client:
        with pytest.raises(httpx.TransportError):
            client.get(f"{guarded.live.url}/model")
        with pytest.raises(httpx.TransportError):
            client.get(f"{guarded.live.url}/model".replace("https", "http"))
    with guarded.channel(certificate=False) as channel, pytest.raises(grpc.RpcError) as refusal:
        ScorerStub(channel).GetModel(pb.GetModelRequest(), metadata=tuple(_HEADERS.items()), timeout=20)
    assert refusal.value.code() is grpc.StatusCode.UNAVAILABLE


def test_old_clients_get_no_old_cipher(guarded: Guarded) -> None:
    """TLS 1.2 needs forward secrecy and authenticated encryption. BentoML's own choice has CBC and SHA-1 only."""
    context = guarded.trust()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE+AESGCM")
    with httpx.Client(verify=context, headers=_HEADERS) as client:
        assert client.get(f"{guarded.live.url}/model").status_code == 200
    context.set_ciphers("ECDHE+AES:!AESGCM:!AESCCM")
    with httpx.Client(verify=context, headers=_HEADERS) as client, pytest.raises(httpx.TransportError):
        client.get(f"{guarded.live.url}/model")


def test_files_that_would_not_do_are_told(tmp_path: Path) -> None:
    """A missing file, one that is no PEM, another certificate's key, an encrypted key and a lone file are refused."""
    authority = Authority(tmp_path, "authority")
    one, other = authority.sign("one"), authority.sign("other")
    key = serialization.load_pem_private_key(one.key.read_bytes(), None)
    encrypted, missing = tmp_path / "encrypted.key", tmp_path / "missing.pem"
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    encrypted.write_bytes(key.private_bytes(*pem, serialization.BestAvailableEncryption(b"secret")))
    empty = tmp_path / "empty.pem"
    empty.touch()
    check_tls(TLSSettings())
    check_tls(TLSSettings(certificate=one.certificate, key=one.key, client_ca=authority.certificate))
    for certificate, of_key, client_ca, message in (
        (missing, one.key, None, "expected tls.certificate to be a readable PEM file"),
        (one.certificate, missing, None, "expected tls.key to be a readable PEM file"),
        (one.certificate, one.key, missing, "expected tls.client_ca to be a readable PEM file"),
        (empty, one.key, None, "expected a PEM certificate and its key"),
        (one.certificate, other.key, None, "expected a PEM certificate and its key"),
        (one.certificate, encrypted, None, "expected a PEM certificate and its key, not encrypted"),
        (one.certificate, one.key, empty, "expected tls.client_ca to hold PEM certificates"),
        (one.certificate, None, None, "got one of them"),
        (None, None, one.certificate, "got neither"),
    ):
        with pytest.raises(InvalidOption, match=message):
            check_tls(TLSSettings(certificate=certificate, key=of_key, client_ca=client_ca))


def test_http_and_grpc_show_the_same_certificate(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A reload changes the certificates of both or, where one of the two cannot use them, of neither."""
    signed = Authority(tmp_path, "authority").sign("server")
    tls = ServerTLS(TLSSettings(certificate=signed.certificate, key=signed.key))
    before, put = tls.context, []

    def fails() -> None:
        raise InvalidOption("expected a certificate for HTTP")

    reload_all([(tls.reload, fails), (lambda: lambda: put.append("token"),)])
    assert tls.context is before
    assert put == ["token"]
    assert "stays as it was: expected a certificate for HTTP" in caplog.text
    reload_all([(lambda: None, tls.reload)])
    assert tls.context is not before
    signed.key.unlink()
    with pytest.raises(InvalidOption, match="readable PEM file"):
        tls.reload()
