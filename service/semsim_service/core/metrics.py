"""The Prometheus metrics of the service. Their labels are fixed: a client cannot add a series."""

from collections.abc import Sequence
from enum import StrEnum

from prometheus_client import Counter, Gauge, Histogram

from semsim.manifest import Manifest
from semsim.pairs import PairFailure
from semsim.providers import ProviderReport
from semsim.scorer import PairScore

OK = "ok"

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""The upper bounds of the histograms of seconds."""
_COUNTS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
_LEAKAGES = tuple(tenth / 10 for tenth in range(1, 11))
# Distances of unit embeddings lie in [0, 2], and so do those of the bundled model, of about unit length.
_DISTANCES = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.4, 1.6, 2.0)


class Rejection(StrEnum):
    """The reason why a request was refused before its images were decoded."""

    QUEUE_PAIRS = "queue_pairs"
    QUEUE_BYTES = "queue_bytes"
    BODY_TOO_LARGE = "body_too_large"
    TOO_MANY_PAIRS = "too_many_pairs"
    UNAUTHENTICATED = "unauthenticated"
    NOT_READY = "not_ready"


class EmbeddingSource(StrEnum):
    """The place that an image's embedding came from."""

    NETWORK = "network"
    BATCH = "batch"
    """Another copy of the image was in the same batch."""
    CACHE = "cache"


class ServiceMetrics:
    """The metrics of one worker. Made once, in the service's ``__init__``: then the workers' numbers are added up."""

    def __init__(self) -> None:
        self.requests = Counter("semsim_requests_total", "Requests by transport and outcome.", ["transport", "code"])
        self.request_seconds = Histogram(
            "semsim_request_seconds",
            "Seconds from the end of a request's head to its answer.",
            ["transport"],
            buckets=SECONDS,
        )
        self.rejected = Counter(
            "semsim_rejected_total", "Requests refused before their images were decoded.", ["reason"]
        )
        self.pairs = Counter("semsim_pairs_total", "Pairs by outcome.", ["code"])
        self.recognizable = Counter("semsim_recognizable_pairs_total", "Pairs whose leakage reaches the threshold.")
        self.uninformative = Counter(
            "semsim_uninformative_pairs_total", "Scored pairs without a leakage, because nothing can be told of them."
        )
        self.leakage = Histogram("semsim_leakage", "Leakage of scored pairs.", buckets=_LEAKAGES)
        self.distance = Histogram("semsim_distance", "Distance of scored pairs.", buckets=_DISTANCES)
        self.decode_seconds = Histogram(
            "semsim_decode_seconds",
            "Seconds a request spends in decoding, resizing and pixel metrics.",
            buckets=SECONDS,
        )
        self.queue_seconds = Histogram(
            "semsim_queue_seconds",
            "Seconds a request waits: for a decoding thread, and for the network.",
            buckets=SECONDS,
        )
        self.inference_seconds = Histogram(
            "semsim_inference_seconds", "Seconds a request's batches spend in the network.", buckets=SECONDS
        )
        self.batch_pairs = Histogram("semsim_batch_pairs", "Pairs completed by a run of the network.", buckets=_COUNTS)
        self.batch_images = Histogram("semsim_batch_images", "Images in a run of the network.", buckets=_COUNTS)
        self.images = Counter("semsim_images_total", "Images by where their embedding came from.", ["source"])
        self.queue_pairs = Gauge("semsim_queue_pairs", "Pairs admitted and not answered.", multiprocess_mode="livesum")
        self.queue_bytes = Gauge(
            "semsim_queue_bytes", "Bytes of the bodies admitted and not answered.", multiprocess_mode="livesum"
        )
        self.queue_oldest = Gauge(
            "semsim_queue_oldest_seconds",
            "Seconds that the request that has waited longest has waited, for a decoding thread or for the network.",
            multiprocess_mode="livemax",
        )
        self.decoders = Gauge("semsim_decoders", "Threads that decode requests.", multiprocess_mode="livesum")
        self.decoders_busy = Gauge(
            "semsim_decoders_busy", "Threads that decode a request at the moment.", multiprocess_mode="livesum"
        )
        self.scoring_process_ends = Counter(
            "semsim_scoring_process_ends_total", "Ends of the process that scores little requests; another is started."
        )
        self._model = Gauge(
            "semsim_model_info",
            "1, labelled with the model.",
            ["name", "version", "sha256"],
            multiprocess_mode="livemax",
        )
        self._provider = Gauge(
            "semsim_provider_info",
            "1, labelled with the active execution provider.",
            ["provider"],
            multiprocess_mode="livemax",
        )
        for source in EmbeddingSource:
            self.images.labels(source)
        for reason in Rejection:
            self.rejected.labels(reason)

    def describe(self, manifest: Manifest, provider: ProviderReport) -> None:
        """Set the gauges that name the model and its execution provider."""
        self._model.labels(manifest.name, manifest.version, manifest.graph.sha256).set(1)
        self._provider.labels(provider.active).set(1)

    def ran(self, images: int, pairs: int) -> None:
        """Count a run of the network over ``images``, by which ``pairs`` became complete."""
        self.batch_images.observe(images)
        self.batch_pairs.observe(pairs)
        self.images.labels(EmbeddingSource.NETWORK).inc(images)

    def spared(self, images: int, source: EmbeddingSource) -> None:
        """Count images that needed no run, since their embeddings came from elsewhere."""
        self.images.labels(source).inc(images)

    def observe_pairs(self, results: Sequence[PairScore | PairFailure]) -> None:
        """Count the pairs of one request, and observe their distances and leakages."""
        for result in results:
            if isinstance(result, PairFailure):
                self.pairs.labels(result.code.value).inc()
                continue
            self.pairs.labels(OK).inc()
            self.distance.observe(result.distance)
            if result.leakage is not None:
                self.leakage.observe(result.leakage)
            if result.recognizable:
                self.recognizable.inc()
            if result.uninformative:
                self.uninformative.inc()
