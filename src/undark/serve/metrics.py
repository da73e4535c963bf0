"""What Prometheus is told: counts and times; no names, no addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

__all__ = ["Metrics"]

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


class _Gauges(Collector):
    """Values that are read when they are asked for."""

    def __init__(self, read: Callable[[], dict[str, float]]) -> None:
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, value in self._read().items():
            text = name.replace("_", " ")
            yield GaugeMetricFamily(f"undark_{name}", f"Now: {text}.", value=value)


class Metrics:
    """Counts what a server does."""

    def __init__(self) -> None:
        """Nothing has happened yet."""
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "undark_requests",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self._registry,
        )
        self._seconds = Histogram(
            "undark_request_seconds",
            "Time from a request to the end of its answer.",
            ("route",),
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._work = Histogram(
            "undark_work_seconds",
            "Time that a photo or video was worked on.",
            ("kind", "outcome"),
            buckets=_BUCKETS,
            registry=self._registry,
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request. `status` 0 is one that was never answered."""
        known = method if method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS") else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def work(self, kind: str, outcome: str, seconds: float) -> None:
        """Count a piece of work: ``photo``, ``video`` or ``preview``; ``done``, ``failed``, ..."""
        self._work.labels(kind, outcome).observe(seconds)

    def gauges(self, read: Callable[[], dict[str, float]]) -> None:
        """Have values read whenever they are asked for."""
        self._registry.register(_Gauges(read))

    def text(self) -> bytes:
        """All, in Prometheus's text format."""
        return generate_latest(self._registry)
