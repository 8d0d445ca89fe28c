"""Records that the store takes and returns, beside items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from simsearch.types import Metadata, Scores, Vectors


class Known(NamedTuple):
    """What is stored of an item that shows whether its file has changed."""

    item_id: int
    content_id: int
    size: int
    mtime_ns: int
    label: str | None


@dataclass(frozen=True, slots=True)
class Write:
    """One item to store. `vector`, of shape (dim,), is None when the content with this `sha256` is stored already.

    A `label` or `metadata` of None leaves those of an item that is there as they are. `text` is that of the content;
    `file` is the path of the file that holds the item as one of several.
    """

    uri: str
    sha256: bytes
    size: int
    mtime_ns: int
    label: str | None
    metadata: Metadata | None
    kind: str
    width: int | None
    height: int | None
    vector: Vectors | None
    text: str | None = None
    file: str | None = None
    rules: int = 1
    """The version of the rules by which the content was read."""


class RowFile(NamedTuple):
    """A file that holds several items, as it was when it was last read to its end.

    `size` is -1 while that has not been, or when an item of it was taken out since. `reading` says how it was read.
    """

    path: str
    size: int
    mtime_ns: int
    reading: str


class NewExample(NamedTuple):
    """An example to store: where it is from ("" when nowhere), its content and vector, and its text if it is one."""

    uri: str
    sha256: bytes
    vector: Vectors
    text: str | None = None
    rules: int = 1


class Outdated(NamedTuple):
    """A content or example that an earlier version of the rules read, with one of its paths, and its text if any."""

    id: int
    uri: str
    sha256: bytes
    text: str | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A content or example (by its id) as the current rules read it; without a vector where they change nothing."""

    id: int
    vector: Vectors | None = None
    width: int | None = None
    height: int | None = None


class NewImpostor(NamedTuple):
    """An impostor to store: the identity that it is of, where it is from, its content and its vector."""

    identity: str
    uri: str
    sha256: bytes
    vector: Vectors


class Impostor(NamedTuple):
    """One query of an identity that was not enrolled when recognition was calibrated."""

    identity: str
    uri: str
    sha256: bytes


@dataclass(frozen=True, slots=True, eq=False)
class StoredCalibration:
    """A calibration as JSON, and the top scores of its impostors against the gallery of that generation."""

    document: str
    tops: Scores
    gallery: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the store holds."""

    items: int
    contents: int
    examples: int
