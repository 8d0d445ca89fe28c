"""What a server measures of itself, in the format of Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

if TYPE_CHECKING:
    from starlette.types import Scope

    from simsearch.collection.upkeep import Info

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = ours = CollectorRegistry(auto_describe=True)
        of_one = ["collection"]
        self._requests = Counter("simsearch_requests", "Requests", ["method", "route", "status"], registry=ours)
        self._seconds = Histogram(
            "simsearch_request_seconds", "Seconds to an answer", ["route"], buckets=BUCKETS, registry=ours
        )
        self._batch = Histogram(
            "simsearch_batch_size", "Queries answered together", of_one, buckets=BATCHES, registry=ours
        )
        self._waiting = Gauge("simsearch_queue_length", "Queries that wait", of_one, registry=ours)
        self._items = Gauge("simsearch_items", "Items of a collection", of_one, registry=ours)
        self._contents = Gauge("simsearch_contents", "Distinct contents of a collection", of_one, registry=ours)
        self._recall = Gauge(
            "simsearch_recall", "recall@10 of the index against exact search, as measured", of_one, registry=ours
        )
        self._generation = Gauge("simsearch_generation", "Changes of a collection's contents", of_one, registry=ours)

    def answered(self, scope: Scope, status: int, seconds: float) -> None:
        """Counts a request, under the pattern of its route: a path would make a series for each item."""
        route = getattr(scope.get("route"), "path", "other")
        self._requests.labels(scope["method"] if route != "other" else "other", route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def batched(self, collection: str, size: int) -> None:
        self._batch.labels(collection).observe(size)

    def waiting(self, collection: str, length: int) -> None:
        self._waiting.labels(collection).set(length)

    def holds(self, collection: str, info: Info) -> None:
        """Records what a collection holds now."""
        self._items.labels(collection).set(info.items)
        self._contents.labels(collection).set(info.contents)
        self._generation.labels(collection).set(info.generation)
        if info.index.recall is not None:
            self._recall.labels(collection).set(info.index.recall.recall)

    def text(self) -> bytes:
        return generate_latest(self._registry)
