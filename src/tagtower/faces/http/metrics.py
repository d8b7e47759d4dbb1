"""Numbers for Prometheus: requests and how long they took, shelves, failures, and what the workers do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from tagtower.usecases.installation.home import Installation
from tagtower.usecases.installation.overview import overview

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@final
class ServerMetrics:
    """The counters of one server; each server has a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter(
            "tagtower_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.seconds = Histogram(
            "tagtower_request_seconds",
            "Time until the last byte of an answer was sent.",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.open = Gauge(
            "tagtower_requests_open", "Requests that are being answered.", registry=self.registry
        )
        self.faults = Counter(
            "tagtower_server_faults", "Requests that met an unexpected failure.", registry=self.registry
        )

    def observe(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request; `route` is the template, so that numbers in addresses make no new series."""
        method = method if method in METHODS else "other"
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def serve(self, installation: Installation) -> None:
        """Tell of the installation's stock too."""
        self.registry.register(_Stock(installation))

    def text(self) -> bytes:
        """Return every number as Prometheus reads it."""
        return generate_latest(self.registry)


@final
class _Stock:
    """What the database says, read when somebody asks."""

    def __init__(self, installation: Installation) -> None:
        self._installation = installation

    def collect(self) -> Iterable[Metric]:
        return self._families()

    def _families(self) -> Iterator[Metric]:
        found = overview(self._installation)
        shelves = GaugeMetricFamily("tagtower_videos", "Videos by shelf.", labels=["shelf"])
        for name, count in found.shelves.to_json().items():
            if name in ("unlabelled", "labelled", "failed"):
                shelves.add_metric([name], count)
        yield shelves
        yield GaugeMetricFamily("tagtower_videos_leased", "Videos in work.", value=found.shelves.leased)
        yield GaugeMetricFamily(
            "tagtower_videos_waiting", "Videos that wait for another attempt.", value=found.shelves.waiting
        )
        yield GaugeMetricFamily("tagtower_tags", "Tags in use.", value=found.tags)
        yield GaugeMetricFamily("tagtower_library_version", "The last change.", value=found.library_version)
        yield GaugeMetricFamily("tagtower_workers", "Workers at work.", value=found.workers_alive)
        yield CounterMetricFamily(
            "tagtower_worker_videos_labelled", "Videos that known workers labelled.", value=found.workers_done
        )
        yield CounterMetricFamily(
            "tagtower_worker_videos_failed", "Videos that known workers gave up.", value=found.workers_failed
        )
