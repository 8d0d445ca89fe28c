"""Pictures of decisions: each query beside the examples that decided."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.encoding import takes_text, text_of
from simsearch.collection.querying import QueryContext, interpret
from simsearch.collection.results import content_of
from simsearch.errors import MediaError, UsageError
from simsearch.media.sheets import SheetRow, Tile, check_sheet, contact_sheets, save_sheets
from simsearch.types import Item, Text

if TYPE_CHECKING:
    from PIL.Image import Image

    from simsearch.media.sheets.drawing import Content
    from simsearch.types import Evidence, Query, Recognition

KNOWN, UNKNOWN = "#2e7d32", "#b26a00"
"""Frames of queries with a label, and of the example that it is from; frames of unknown queries."""
SUFFIX = ".png"
"""Of the files in a folder."""


def check_place(context: QueryContext, path: Path, *, force: bool = False) -> None:
    """Raises UsageError when decisions cannot be drawn, or not saved at this path; called before they are made."""
    if context.store.setting("modality") == "vector":
        raise UsageError("a picture shows images and texts, and this collection holds vectors; leave --save out")
    if path.is_dir():
        return
    if not path.suffix and not path.exists():
        raise UsageError(f"{path}: there is no such folder; make it first, or give a file as {path}{SUFFIX}")
    check_sheet(path, force=force)


def evidence_sheets(
    context: QueryContext, sources: Sequence[Query], answers: Sequence[Recognition], *, tile: int = 160
) -> list[Image]:
    """A row for each query, its evidence behind it, on as many pages as are needed."""
    rows = [_row(context, source, answer) for source, answer in zip(sources, answers, strict=True)]
    return contact_sheets(rows, tile=tile)


def save_evidence(
    context: QueryContext, sources: Sequence[Query], answers: Sequence[Recognition], path: Path, *, force: bool = False
) -> list[Path]:
    """The files that the pictures were saved in: one of all queries, or in a folder one for each.

    A file there must be such a picture, unless `force`. Raises UsageError, before the first is written.
    """
    check_place(context, path, force=force)
    if not path.is_dir():
        return save_sheets(evidence_sheets(context, sources, answers), path, force=force)
    digits = len(str(len(answers)))
    places = [
        path / f"{number:0{digits}}{_stem(interpreted(context, source))}{SUFFIX}"
        for number, source in enumerate(sources, 1)
    ]
    for place in places:
        check_sheet(place, force=force)
    return [
        saved
        for source, answer, place in zip(sources, answers, places, strict=True)
        for saved in save_sheets(evidence_sheets(context, [source], [answer]), place, force=force)
    ]


def _stem(source: Query) -> str:
    """What names the file of a query, behind its number; texts and what is in memory have no name of their own."""
    if isinstance(source, Item):
        source = Path(source.uri)
    return f"-{source.stem}" if isinstance(source, Path) and source.stem else ""


def interpreted(context: QueryContext, source: Query) -> Query:
    return interpret(source, context.store, lambda: takes_text(context.encoder))


def _row(context: QueryContext, source: Query, answer: Recognition) -> SheetRow:
    meant = interpreted(context, source)
    known = answer.label is not None
    asked = Tile(_shown(context, meant), _caption(meant, answer), KNOWN if known else UNKNOWN)
    tiles = [_tile(one, KNOWN if one.example.label == answer.label else None) for one in answer.evidence]
    title = meant.uri if isinstance(meant, Item) else str(meant) if isinstance(meant, (str, Path)) else ""
    return SheetRow("" if isinstance(meant, Text) else title, (asked, *tiles))


def _shown(context: QueryContext, source: Query) -> Content:
    if context.store.setting("modality") != "text" or isinstance(source, Item):
        return content_of(source)
    try:
        return text_of(source)
    except MediaError as error:
        return error


def _caption(source: Query, answer: Recognition) -> tuple[str, ...]:
    chance = "" if answer.probability is None else f", P {answer.probability:.2f}"
    limit = () if answer.threshold is None else (f"threshold {answer.threshold:.3f}",)
    name = (source.name,) if isinstance(source, Path) else ()
    return (*name, answer.label or "unknown", f"{answer.score:.3f}{chance}", *limit)


def _tile(one: Evidence, border: str | None) -> Tile:
    example = one.example
    if example.text is None and not example.uri:
        return Tile(MediaError("enrolled without a file"), (example.label, f"{one.score:.3f}"), border)
    content: Content = example.text if example.text is not None else content_of(Path(example.uri))
    name = (Path(example.uri).name,) if example.uri else ()
    return Tile(content, (example.label, f"{one.score:.3f}", *name), border)
