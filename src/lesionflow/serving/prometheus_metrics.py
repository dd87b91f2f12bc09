"""What Prometheus may ask of the service. Labels take few values: never a path, a study or a client."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

SECONDS_BUCKETS = (0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600)


class ServiceMetrics:
    """Counters in a registry of their own."""

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        at = self._registry
        self.requests = Counter(
            "lesionflow_http_requests", "Requests answered.", ["route", "method", "status"], registry=at
        )
        self.studies = Counter(
            "lesionflow_studies", "Studies by outcome: `segmented` or the error's code.", ["outcome"], registry=at
        )
        self.empty_masks = Counter("lesionflow_empty_masks", "Studies in which no tumor was found.", registry=at)
        self.seconds = Histogram(
            "lesionflow_study_seconds",
            "Time from the study on disk to its masks.",
            buckets=SECONDS_BUCKETS,
            registry=at,
        )
        self.received_bytes = Counter("lesionflow_received_bytes", "Bytes of studies received.", registry=at)
        self.taken = Gauge("lesionflow_studies_in_line", "Studies segmented or waiting for it.", registry=at)
        self.ready = Gauge("lesionflow_ready", "1 when a model is loaded.", registry=at)
        self.further_ready = Gauge(
            "lesionflow_further_model_ready", "1 when a model beside the main one is loaded.", ["name"], registry=at
        )
        self.model = Gauge("lesionflow_model", "What is served.", ["name", "version", "bundle_digest"], registry=at)

        self.champion_changes = Counter(
            "lesionflow_champion_changes",
            "New models by what came of them: `switched`, `refused` before they served, `returned` from service.",
            ["change"],
            registry=at,
        )
        # A counter that begins with its first event has, for Prometheus, not grown.
        for change in ("switched", "refused", "returned"):
            self.champion_changes.labels(change)

    def tell_models(self, served: Iterable[tuple[str, str, str]]) -> None:
        """Say what is served, each by name, version and bundle digest; what was served before is told no more."""
        self.model.clear()
        for labels in served:
            self.model.labels(*labels).set(1)

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self._registry)
