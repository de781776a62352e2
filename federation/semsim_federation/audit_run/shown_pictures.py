"""The gallery of the page: the reconstructions that leak most of each cell, with originals only where asked for."""

import base64
from dataclasses import dataclass

from semsim_federation.audit_run.audit_findings import AuditFindings
from semsim_federation.audit_run.audit_journal import ClientAudit
from semsim_federation.audit_run.audit_wording import way
from semsim_federation.audit_run.client_data import DealtImages
from semsim_federation.leakage_report import ImageLeakage
from semsim_training.client_images.png import encode_png

_MOST = 8
"""The most pictures of a cell."""


@dataclass(frozen=True, slots=True)
class ShownPicture:
    """One reconstruction, as the page shows it."""

    reconstruction: str
    """A PNG in base64."""
    original: str | None
    """The original as a PNG in base64; None where it is not shown."""
    leaked: bool
    told: str
    """The leakage in words."""
    attack: str


@dataclass(frozen=True, slots=True)
class ShownCell:
    """The pictures of one cell."""

    title: str
    pictures: tuple[ShownPicture, ...]
    images: int
    """The number of images that were audited."""


def gallery(findings: AuditFindings, dealt: DealtImages) -> tuple[ShownCell, ...]:
    """The cells with their pictures, as far as the configuration shows them; the highest leakage first."""
    shown = findings.configuration.shown
    if shown == "none":
        return ()
    rows = []
    for cell, one in findings.cells.items():
        every = [
            (audit, index, image, picture)
            for audit in one.audits
            for index, (image, picture) in enumerate(zip(audit.images, audit.pictures, strict=True))
            if picture is not None
        ]
        every.sort(key=lambda entry: (not entry[2].leaked, -(entry[2].leakage or 0.0)))
        pictures = tuple(
            ShownPicture(
                picture,
                _original(dealt, audit.client, index) if shown == "originals" else None,
                image.leaked,
                _told(audit, image),
                image.attack,
            )
            for audit, index, image, picture in every[:_MOST]
        )
        if one.audits:
            count = sum(len(audit.images) for audit in one.audits)
            rows.append(ShownCell(way(findings.configuration, cell), pictures, count))
    return tuple(rows)


def _told(audit: ClientAudit, image: ImageLeakage) -> str:
    """The finding on an image in words, without the leakage where that says nothing: no attack explained the update."""
    if image.leakage is None or not (audit.told or image.leaked):
        return "could not tell"
    if image.leaked:
        told = "leaked"
    elif image.recognizable:
        told = "not identified"
    else:  # what stands out from public images may be recognizable to people
        told = "identified" if image.identified else "not shown to leak"
    return f"leakage {image.leakage:.2f}, {told}"


def _original(dealt: DealtImages, client: int, index: int) -> str:
    return base64.b64encode(encode_png(dealt.clients[client].images[index])).decode()
