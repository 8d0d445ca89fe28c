"""The plans of removals that a server has made, by id, each a file as `dedupe plan` writes it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.places import SERVING
from simsearch.serving.answers import ApiError

if TYPE_CHECKING:
    from simsearch.serving.served import Served

KEPT = 20


class Plans:
    """Where the plans of each collection lie; without `keeps` in a temporary folder that goes with the server."""

    def __init__(self, *, keeps: bool) -> None:
        self._temporary = None if keeps else tempfile.TemporaryDirectory(prefix="simsearch-")

    def folder(self, served: Served) -> Path:
        if self._temporary is not None:
            return Path(self._temporary.name) / served.name
        return served.folder / SERVING / "plans"

    def place(self, served: Served, plan: str) -> Path:
        """Where the plan of an id goes."""
        return self.folder(served) / f"{plan}.json"

    def find(self, served: Served, plan: str | None) -> Path:
        """The file of a plan, without an id the latest. Raises ApiError 404."""
        found = sorted(self.folder(served).glob("*.json"))
        chosen = found[-1:] if plan is None else [path for path in found if path.stem == plan]
        if plan is not None and not re.fullmatch(r"[0-9a-f-]{1,64}", plan):
            chosen = []
        if not chosen:
            raise ApiError(404, "no_plan", "there is no such plan; find duplicates first")
        return chosen[0]

    def trim(self, served: Served) -> None:
        """Removes all but the latest plans."""
        for path in sorted(self.folder(served).glob("*.json"))[:-KEPT]:
            path.unlink(missing_ok=True)

    def close(self) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()
