"""The plans of removals that a server has made, by id, each a file as `dedupe plan` writes it."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.serving.answers import ApiError

if TYPE_CHECKING:
    from simsearch.serving.served import Served

KEPT = 20


class Plans:
    """Where the plans of each collection lie; where none can be kept, in a temporary folder until the server ends."""

    def __init__(self) -> None:
        self._temporary: tempfile.TemporaryDirectory[str] | None = None

    def folder(self, served: Served) -> Path:
        if served.state_folder is not None:
            return served.state_folder / "plans"
        if self._temporary is None:
            self._temporary = tempfile.TemporaryDirectory(prefix="simsearch-")
        return Path(self._temporary.name) / served.name

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
