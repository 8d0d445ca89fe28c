"""What is exchanged: a header, and rows with their vectors, a batch at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from simsearch.errors import DamagedError

if TYPE_CHECKING:
    from simsearch.store.exchange.rows import ItemRow
    from simsearch.types import JSONValue, Vectors

FORMAT = 1
MARK = "simsearch export"
"""In the header of every file that was exported, near its beginning or its end."""
BATCH = 4096
"""Rows in memory at once."""
KINDS: dict[str, Any] = {"uri": str, "label": (str, type(None)), "metadata": dict, "text": (str, type(None))}


@dataclass(frozen=True, slots=True)
class Header:
    """What a file of exported vectors holds; `fingerprint` is that of the encoder, empty for own vectors."""

    dim: int
    items: int
    modality: str = "vector"
    encoder: str = ""
    fingerprint: str = ""

    def document(self, **more: JSONValue) -> dict[str, JSONValue]:
        return {
            MARK: FORMAT,
            "dim": self.dim,
            "items": self.items,
            "modality": self.modality,
            "encoder": self.encoder,
            "fingerprint": self.fingerprint,
            **more,
        }

    @classmethod
    def of(cls, document: Mapping[str, Any], where: str) -> Header:
        """Raises DamagedError for what is no header, or of a later format."""
        if document.get(MARK) != FORMAT:
            raise DamagedError(f"{where}: an export of format {document.get(MARK)!r}, this simsearch reads {FORMAT}")
        names: dict[str, Any] = {"dim": int, "items": int, "modality": str, "encoder": str, "fingerprint": str}
        for name, kind in names.items():
            if not isinstance(document.get(name), kind):
                raise DamagedError(f"{where}: {name} is {document.get(name)!r} in the header of the export")
        return cls(*(document[name] for name in names))


@dataclass(frozen=True, slots=True)
class Record:
    """An item as it is exchanged. `sha256` and what follows are of its content, and missing for own vectors."""

    uri: str
    id: int | None = None
    label: str | None = None
    metadata: Mapping[str, JSONValue] = field(default_factory=dict)
    text: str | None = None
    size: int | None = None
    mtime_ns: int | None = None
    sha256: bytes | None = None
    kind: str | None = None
    width: int | None = None
    height: int | None = None
    rules: int | None = None

    @classmethod
    def of_row(cls, row: ItemRow) -> Record:
        return cls(**{name: getattr(row, name) for name in FIELDS})

    def document(self) -> dict[str, JSONValue]:
        """As JSON: without what is None."""
        shown: dict[str, JSONValue] = {name: getattr(self, name) for name in FIELDS}
        digest = None if self.sha256 is None else self.sha256.hex()
        shown |= {"metadata": dict(self.metadata) or None, "sha256": digest}
        return {name: value for name, value in shown.items() if value is not None}

    @classmethod
    def of_document(cls, document: Mapping[str, Any], where: str) -> Record:
        """Raises DamagedError for what `document` does not give."""
        given = {"metadata": {}, "label": None, "text": None, **document}
        unknown = sorted(set(given) - set(FIELDS))
        if unknown:
            raise DamagedError(f"{where}: unknown field {unknown[0]!r} in an export")
        for name, kind in KINDS.items():
            if not isinstance(given.get(name), kind):
                raise DamagedError(f"{where}: {name} is {given.get(name)!r}")
        for name in NUMBERS:
            if type(given.get(name)) not in (int, type(None)):
                raise DamagedError(f"{where}: {name} is {given[name]!r}, which is no whole number")
        try:
            digest = None if given.get("sha256") is None else bytes.fromhex(given["sha256"])
        except (TypeError, ValueError):
            raise DamagedError(f"{where}: sha256 is {given['sha256']!r}") from None
        return cls(**{**given, "sha256": digest})


FIELDS = tuple(Record.__dataclass_fields__)
NUMBERS = ("id", "size", "mtime_ns", "width", "height", "rules")
Batch: TypeAlias = "tuple[list[Record], Vectors]"
Batches: TypeAlias = "Iterator[Batch]"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file of vectors, opened to be read: its header, None for a file from elsewhere, its dim, and its batches."""

    header: Header | None
    dim: int
    batches: Batches


def foreign_record(values: Mapping[str, Any], default: str, where: str) -> Record:
    """A row from elsewhere: `uri`, or else `id`, names it; what is not known by name becomes metadata."""
    from simsearch.collection.adding.given import plain_metadata

    known = {"uri", "id", "label", "metadata", "text"}
    more = {key: value for key, value in values.items() if key not in known}
    uri = values.get("uri")
    name = uri if uri is not None else values.get("id", default)
    (about,) = plain_metadata([{**(values.get("metadata") or {}), **more}]) or [{}]
    label, text = values.get("label"), values.get("text")
    for what, value in (("label", label), ("text", text)):
        if value is not None and not isinstance(value, str):
            raise DamagedError(f"{where}: {what} is {value!r}; give a text")
    return Record(str(name), label=label, text=text, metadata=about)


def parsed(line: bytes | str, where: str) -> dict[str, Any]:
    """A JSON object. Raises DamagedError for anything else."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{where}: not JSON ({error})") from None
    if not isinstance(document, dict):
        raise DamagedError(f"{where}: not a JSON object")
    return document
