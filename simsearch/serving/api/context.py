"""What every handler has at hand, and the collection that a request means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Query, Request

from simsearch.serving.served import Served

if TYPE_CHECKING:
    from pathlib import Path

    from simsearch.serving.batching import Batcher
    from simsearch.serving.jobs.runner import Jobs
    from simsearch.serving.maps import Maps
    from simsearch.serving.metrics import Metrics
    from simsearch.serving.plans import Plans
    from simsearch.serving.safety.access import Access
    from simsearch.serving.served import Registry
    from simsearch.serving.settings import ServeSettings
    from simsearch.serving.thumbnails import Thumbnails


@dataclass(frozen=True, slots=True)
class Context:
    """The parts of a server."""

    settings: ServeSettings
    registry: Registry
    batchers: dict[str, Batcher]
    jobs: Jobs
    maps: Maps
    plans: Plans
    thumbnails: Thumbnails
    metrics: Metrics
    access: Access

    def allowed_roots(self, served: Served) -> list[Path]:
        """The folders that an index job may be given."""
        from pathlib import Path

        roots = [Path(root) for root in served.reading().info().roots]
        return [*roots, *self.settings.allowed_folders]


async def context_of(request: Request) -> Context:
    # Asynchronous, as others are run in a thread, which costs more than they do.
    return cast("Context", request.app.state.context)


async def served_of(
    request: Request,
    collection: Annotated[
        str | None, Query(description="The collection; may be left out where only one is served.", max_length=255)
    ] = None,
) -> Served:
    return (await context_of(request)).registry.get(collection)


ContextOf = Annotated["Context", Depends(context_of)]
ServedOf = Annotated[Served, Depends(served_of)]
