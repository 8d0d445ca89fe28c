"""Results as tables of records, as a table in a notebook, and as contact sheets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from simsearch.errors import MediaError, UsageError
from simsearch.media.arguments import COUNT, require, shown, source_list
from simsearch.media.files import read_file
from simsearch.mixes import Mix
from simsearch.types import Item, Match, Recognition, Text, shortened
from simsearch.vectors.arrays import is_vector

if TYPE_CHECKING:
    from PIL.Image import Image

    from simsearch.media.sheets import SheetRow
    from simsearch.media.sheets.drawing import Content
    from simsearch.types import Query

T = TypeVar("T")
THUMBNAIL = 96
"""Pixels of the long side of an image in a notebook."""
ROWS_AT_MOST = 50


class Matches(list[Match]):
    """The matches of one query, best first. `query` is what it was interpret as: a `Path`, `Text`, `Item` or array.

    In a notebook they are a table with thumbnails of the images whose files can be read.
    """

    def __init__(self, matches: Iterable[Match] = (), query: Query | Mix | None = None) -> None:
        super().__init__(matches)
        self.query = query

    def _repr_html_(self) -> str:
        cells = [_cells(match) for match in self[:ROWS_AT_MOST]]
        names = [name for name in ("rank", "score", "image", "label", "uri", "text") if any(row[name] for row in cells)]
        head = "".join(f"<th>{name}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{row[name]}</td>' for name in names)}</tr>" for row in cells)
        more = f"<p>and {len(self) - len(cells):,} more</p>" if len(self) > len(cells) else ""
        return (
            f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}" if cells else "<p>no match</p>"
        )


def to_records(
    results: Iterable[Match | Recognition | Sequence[Match]] | Match | Recognition,
) -> list[dict[str, object]]:
    """Matches or recognitions as flat dicts, one a row, as `pandas.DataFrame` takes them.

    A match has rank, score, id, uri and label, the text if it is one, and its metadata by key (with "metadata." before
    a key of one of these names). `query` is the number of the query in what `query_many` or `recognize_many` returned.
    """
    if isinstance(results, Recognition):
        return [_recognition_record(results)]
    if isinstance(results, Match):
        return [_match_record(results)]
    records: list[dict[str, object]] = []
    for number, result in enumerate(_results(results)):
        if isinstance(result, Match):
            records.append(_match_record(result))
        elif isinstance(result, Recognition):
            records.append({"query": number} | _recognition_record(result))
        else:
            records += [{"query": number} | _match_record(match) for match in _matches(result)]
    return records


def _results(results: Iterable[T]) -> list[T]:
    """The results as a list. Raises UsageError for what is no list of results."""
    if isinstance(results, (str, bytes, Mapping)) or not isinstance(results, Iterable):
        raise UsageError(f"{shown(results)} is no result; give what query, query_many or recognize returned")
    return source_list(results)


def _matches(results: object) -> list[Match]:
    """The matches of one query, as they are where they are a list. Raises UsageError for anything else."""
    found = results if isinstance(results, Matches) else _results(cast("Iterable[Match]", results))
    for result in found:
        if not isinstance(result, Match):
            raise UsageError(f"{shown(result)} is no match; give what query or query_many returned")
    return found


def sheet(results: Match | Sequence[Match] | Sequence[Sequence[Match]], *, tile: int = 160) -> Image:
    """A contact sheet of the matches of one query or of several: a row for each, its query first, ten on a line.

    Images are fitted into squares of `tile` pixels, texts are drawn as texts, and an image that cannot be read is a
    gray tile. Raises UsageError when there is nothing to show, or too much for one image.
    """
    from simsearch.media.sheets import contact_sheet

    return contact_sheet(_rows(results), tile=_tile(tile))


def sheets(results: Match | Sequence[Match] | Sequence[Sequence[Match]], *, tile: int = 160) -> list[Image]:
    """The same as `sheet`, on as many pages as are needed."""
    from simsearch.media.sheets import contact_sheets

    return contact_sheets(_rows(results), tile=_tile(tile))


def _tile(tile: int) -> int:
    require(COUNT, tile=tile)
    return tile


def _rows(results: Match | Sequence[Match] | Sequence[Sequence[Match]]) -> list[SheetRow]:
    given = _results([results] if isinstance(results, Match) else results)
    alone = all(isinstance(each, Match) for each in given)
    rows = [results if isinstance(results, Matches) else cast("list[Match]", given)] if alone else given
    return [sheet_row(_matches(row)) for row in rows]


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
        "image": _thumbnail(item),
        "label": _escaped(item.label or ""),
        "uri": _escaped(item.uri),
        "text": _escaped(item.text or ""),
    }


def _thumbnail(item: Item) -> str:
    from simsearch.evaluation.report.pictures import data_uri
    from simsearch.media.images import thumbnail

    try:
        return f'<img src="{data_uri(thumbnail(read_file(item.uri), THUMBNAIL))}">' if item.text is None else ""
    except MediaError:
        return ""


def _escaped(text: str) -> str:
    # A file name can hold what is no character.
    return escape(shortened(text, 200).encode("utf-8", "backslashreplace").decode())


def sheet_row(matches: Sequence[Match]) -> SheetRow:
    from simsearch.media.sheets import SheetRow, Tile

    query = matches.query if isinstance(matches, Matches) else None
    tiles = [Tile(content_of(query), _caption(query))] if query is not None else []
    for match in matches:
        caption = (f"{match.rank}.  {match.score:.3f}", match.item.label or Path(match.item.uri).name)
        tiles.append(Tile(content_of(match.item), caption))
    return SheetRow(_title(query), tuple(tiles), ruled=query is not None)


def _title(query: Query | Mix | None) -> str:
    if isinstance(query, Item):
        return query.uri
    return str(query) if isinstance(query, (str, Path, Mix)) else ""


def _caption(query: Query | Mix) -> tuple[str, ...]:
    # Words are in their tile already, and what is given in memory has no name.
    name = "" if isinstance(query, (Text, Mix)) else Path(_title(query)).name
    return (name, "query") if name else ("query",)


def content_of(source: Query | Mix) -> Content:
    """What a tile shows: an image, a text, or why there is no image."""
    if isinstance(source, Item):
        if source.text is not None:
            return source.text
        source = Path(source.uri)
    if isinstance(source, (Text, Mix)):
        return str(source)
    if isinstance(source, (str, Path)):
        try:
            return read_file(source)
        except MediaError as error:
            return error
    return MediaError("a vector") if is_vector(source) else source
