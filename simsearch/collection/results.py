"""Results as tables of records, as a table in a notebook, and as contact sheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

from simsearch.errors import MediaError
from simsearch.media.files import read_file
from simsearch.types import Item, Match, Recognition, Text, shortened

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

    from simsearch.collection.querying import Query
    from simsearch.media.sheets import SheetRow

THUMBNAIL = 96
"""Pixels of the long side of a picture in a notebook."""
ROWS_AT_MOST = 50


class Matches(list[Match]):
    """The matches of one query, best first. `query` is what it was interpret as: a `Path`, `Text`, `Item` or array.

    In a notebook they are a table with thumbnails of the pictures whose files can be read.
    """

    def __init__(self, matches: Iterable[Match] = (), query: Query | None = None) -> None:
        super().__init__(matches)
        self.query = query

    def _repr_html_(self) -> str:
        cells = [_cells(match) for match in self[:ROWS_AT_MOST]]
        names = [
            name for name in ("rank", "score", "picture", "label", "uri", "text") if any(row[name] for row in cells)
        ]
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{row[name]}</td>' for name in names)}</tr>" for row in cells)
        more = f"<p>and {len(self) - len(cells):,} more</p>" if len(self) > len(cells) else ""
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}" if cells else "<p>no match</p>"
        )


def to_records(
    results: Iterable[Match | Recognition | Sequence[Match]] | Recognition,
) -> list[dict[str, object]]:
    """Matches or recognitions as flat dicts, one a row, as `pandas.DataFrame` takes them.

    A match has rank, score, id, uri and label, the text if it is one, and its metadata by key (with "metadata." before
    a key of one of these names). `query` is the number of the query in what `query_many` or `recognize_many` returned.
    """
    if isinstance(results, Recognition):
        return [_recognition_record(results)]
    records: list[dict[str, object]] = []
    for number, result in enumerate(results):
        if isinstance(result, Match):
            records.append(_match_record(result))
        elif isinstance(result, Recognition):
            records.append({"query": number} | _recognition_record(result))
        else:
            records += [{"query": number} | _match_record(match) for match in result]
    return records


def sheet(results: Sequence[Match] | Sequence[Sequence[Match]], *, tile: int = 160) -> Image:
    """A contact sheet of the matches of one query or of several: a row for each, its query first.

    Pictures are fitted into squares of `tile` pixels; one that cannot be read is a gray tile. Raises UsageError when
    there is nothing to show.
    """
    from simsearch.media.sheets import contact_sheet

    rows = [results] if all(isinstance(each, Match) for each in results) else results
    return contact_sheet([_row(cast("Sequence[Match]", row)) for row in rows], tile=tile)


def _match_record(match: Match) -> dict[str, object]:
    item = match.item
    record: dict[str, object] = {
        "rank": match.rank,
        "score": match.score,
        "id": item.id,
        "uri": item.uri,
        "label": item.label,
    }
    if item.text is not None:
        record["text"] = item.text
    return record | _apart(item.metadata, {"query", "text", *record})


def _apart(metadata: Mapping[str, object], taken: set[str]) -> dict[str, object]:
    return {f"metadata.{key}" if key in taken else key: value for key, value in metadata.items()}


def _recognition_record(recognition: Recognition) -> dict[str, object]:
    second = recognition.runner_up
    return {
        "label": recognition.label,
        "score": recognition.score,
        "threshold": recognition.threshold,
        "uri": recognition.evidence[0].example.uri,
        "runner_up": None if second is None else second.example.label,
        "runner_up_score": None if second is None else second.score,
    }


def _cells(match: Match) -> dict[str, str]:
    """The cells of a row, as HTML; empty where there is nothing to show."""
    item = match.item
    return {
        "rank": str(match.rank),
        "score": f"{match.score:.3f}",
        "picture": _picture(item),
        "label": _escaped(item.label or ""),
        "uri": _escaped(item.uri),
        "text": _escaped(item.text or ""),
    }


def _picture(item: Item) -> str:
    from simsearch.evaluation.report.pictures import data_uri
    from simsearch.media.images import thumbnail

    try:
        return f'<img src="{data_uri(thumbnail(read_file(item.uri), THUMBNAIL))}">' if item.text is None else ""
    except MediaError:
        return ""


def _escaped(text: str) -> str:
    # A file name can hold what is no character.
    return escape(shortened(text, 200).encode("utf-8", "backslashreplace").decode())


def _row(matches: Sequence[Match]) -> SheetRow:
    from simsearch.media.sheets import SheetRow, Tile

    query = matches.query if isinstance(matches, Matches) else None
    tiles = [Tile(_content(query), (_name(query), "query"))] if query is not None else []
    for match in matches:
        caption = (f"{match.rank}.  {match.score:.3f}", match.item.label or Path(match.item.uri).name)
        tiles.append(Tile(_content(match.item), caption))
    return SheetRow(_title(query), tuple(tiles), ruled=query is not None)


def _title(query: Query | None) -> str:
    if isinstance(query, Item):
        return query.uri
    return str(query) if isinstance(query, (str, Path)) else ""


def _name(query: Query) -> str:
    return _title(query) if isinstance(query, Text) else Path(_title(query)).name


def _content(source: Query) -> bytes | Image | NDArray[np.uint8] | None:
    """The picture of a tile; None when its file cannot be read, or it is none."""
    if isinstance(source, Item):
        source = Path(source.uri)
    if isinstance(source, (str, Path)):
        try:
            return None if isinstance(source, Text) else read_file(source)
        except MediaError:
            return None
    return None if isinstance(source, np.ndarray) and source.dtype != np.uint8 else source
