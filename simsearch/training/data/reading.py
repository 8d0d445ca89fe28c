"""How the source of a run is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.labelled.reading import Kind, Modality


@dataclass(frozen=True, slots=True)
class Reading:
    """How the source is to be read where it does not say so itself; see `labelled.read_labelled`."""

    kind: Kind | None = None
    modality: Modality | None = None
    columns: str | None = None
    convention: str | None = None
    score_range: tuple[float, float] | None = None
    label_until: str | None = None
    by_line: bool = False
    encoding: str | None = None
    strict: bool = False
