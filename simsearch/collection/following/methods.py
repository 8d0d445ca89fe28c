"""The part of a collection's facade that follows folders."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from simsearch.errors import UsageError
from simsearch.media.arguments import FLAG, NUMBER, PATH, allow, path_list, require, require_instance

if TYPE_CHECKING:
    from simsearch.types import AddReport


class _Adding(Protocol):
    folder: Path

    def add(
        self,
        sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        labels: str | os.PathLike[str] | None = None,
        strict: bool = False,
        prune: bool = False,
    ) -> AddReport: ...


class FollowingMethods:
    """Following folders."""

    def watch(
        self: _Adding,
        sources: str | os.PathLike[str] | Iterable[str | os.PathLike[str]],
        *,
        labels: str | os.PathLike[str] | None = None,
        strict: bool = False,
        prune: bool = False,
        settle: float = 1.0,
        stop: threading.Event | None = None,
    ) -> Iterator[AddReport]:
        """Keeps the collection up to date with folders: yields the report of an `add` at once, then of one after each
        change, until `stop` is set.

        Changes are waited out until there was none for `settle` seconds. The writer's lock is held during each `add`
        only; while another process has it, the `add` waits. Settings that `add` keeps are kept. Needs the extra watch.
        """
        from simsearch.collection.following.watching import watched

        allow(PATH, labels=labels)
        require(FLAG, strict=strict, prune=prune)
        require(NUMBER, settle=settle)
        require_instance(threading.Event, "a threading.Event", stop=stop)
        if settle < 0:
            raise UsageError(f"settle is {settle}; give seconds, 0 or more")
        folders = [os.fspath(source) for source in path_list(sources)]

        def update() -> AddReport:
            return self.add(folders, labels=labels, strict=strict, prune=prune)

        return watched(folders, self.folder, update, stop or threading.Event(), settle)
