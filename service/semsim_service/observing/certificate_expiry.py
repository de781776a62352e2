"""The expiry of the certificates: a metric, and a warning for one that has expired or soon will."""

import logging
import time
from datetime import UTC, datetime

from prometheus_client import Gauge

from semsim_service.access.certificates import expiry
from semsim_service.settings import TLSSettings

logger = logging.getLogger("semsim.service")

_DAY_SECONDS = 86_400
_SOON_SECONDS = 14 * _DAY_SECONDS


class CertificateExpiry:
    """The metric of one worker. Made once.

    Args:
        tls: the settings that name the certificates.
    """

    def __init__(self, tls: TLSSettings) -> None:
        files = {"certificate": tls.certificate, "client_ca": tls.client_ca}
        self._files = {name: path for name, path in files.items() if path is not None}
        self._gauge = Gauge(
            "semsim_certificate_expires_timestamp_seconds",
            "The time when a certificate of the service expires, in seconds since 1970.",
            ["file"],
            multiprocess_mode="livemin",
        )

    def observe(self) -> None:
        """Read the certificates, set the metric, and warn of those that have expired or will within two weeks.

        Raises:
            InvalidOption: a file holds no certificate.
        """
        now = time.time()
        for name, path in self._files.items():
            end = expiry(path)
            self._gauge.labels(name).set(end)
            if end < now + _SOON_SECONDS:
                day = datetime.fromtimestamp(end, UTC).isoformat()
                words = "has expired" if end < now else "expires soon"
                logger.warning("tls.%s %s: %s ends at %s", name, words, path, day)
