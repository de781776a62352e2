"""The Python client and ``semsim score-dir --url`` behind mutual TLS and a token."""

from pathlib import Path

import pytest

from semsim import Scorer
from semsim.client import Client, GrpcClient
from semsim.exceptions import ServiceUnreachable, Unauthenticated
from tests.encoded import encode, picture
from tests.semsim.commands.conftest import Semsim
from tests.semsim.commands.conftest import semsim as semsim  # the fixture
from tests.service.guarded import TOKEN, Guarded


@pytest.mark.parametrize("kind", [Client, GrpcClient])
def test_a_client_shows_its_certificate_and_its_token(
    guarded: Guarded, calibrated_artifact: Path, kind: type[Client | GrpcClient]
) -> None:
    """With both it scores; without the token, the certificate or the authority it is told why not."""
    pairs = [(picture(), picture(seed=1))]
    caller, ca = guarded.caller, guarded.authority.certificate
    url = guarded.live.url if kind is Client else f"https://{guarded.live.grpc}"
    with kind(url, token=TOKEN, ca=ca, certificate=caller.certificate, key=caller.key) as client:
        (score,) = client.score_pairs(pairs)
        (local,) = Scorer(calibrated_artifact).score_pairs(pairs)
        assert score.distance == pytest.approx(local.distance, abs=1e-6)  # type: ignore[union-attr]
    with (
        kind(url, ca=ca, certificate=caller.certificate, key=caller.key) as client,
        pytest.raises(Unauthenticated),
    ):
        client.score_pairs(pairs)
    for options in ({"ca": ca}, {"certificate": caller.certificate, "key": caller.key}):
        with kind(url, token=TOKEN, **options) as client, pytest.raises(ServiceUnreachable) as refusal:
            client.model()
        assert TOKEN not in str(refusal.value)


def test_score_dir_takes_the_token_and_the_certificates_from_files(
    guarded: Guarded, semsim: Semsim, tmp_path: Path
) -> None:
    """Without the token file it is refused."""
    folders = tmp_path / "originals", tmp_path / "reconstructions"
    for seed, folder in enumerate(folders):
        folder.mkdir()
        (folder / "1.png").write_bytes(encode(picture(seed=seed)))
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n")
    caller = guarded.caller
    options = (
        "--url", guarded.live.url, "--tls-ca", guarded.authority.certificate,
        "--tls-certificate", caller.certificate, "--tls-key", caller.key,
    )  # fmt: skip
    shown = semsim("score-dir", *folders, *options, "--token-file", token)
    assert shown.returncode == 0, shown.stderr
    refused = semsim("score-dir", *folders, *options)
    assert refused.returncode == 2
    assert "error [unauthenticated]" in refused.stderr
    assert TOKEN not in shown.stdout + shown.stderr + refused.stderr
