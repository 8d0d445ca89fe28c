"""Records that the store takes and returns, beside items."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from simsearch.types import Ids, JSONValue, Metadata, Scores, Vectors


class Known(NamedTuple):
    """What is stored of an item that shows whether its file has changed."""

    item_id: int
    content_id: int
    size: int
    mtime_ns: int
    label: str | None
    inode: int | None = None
    ctime_ns: int | None = None
    """Like `inode` None when it was stored before these were recorded."""
    problem: str | None = None
    """Why its file could not be read when that was last tried."""


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
    inode: int | None = None
    ctime_ns: int | None = None
    rules: int = 1
    """The version of the rules by which the content was read."""
    small: bytes | None = None
    """A few gray levels of an image (`media.image_facts.small_gray`)."""


class RowFile(NamedTuple):
    """A file that holds several items, as it was when it was last read to its end.

    `size` is -1 while that has not been, or when an item of it was taken out since. `reading` has the options of that.
    """

    path: str
    size: int
    mtime_ns: int
    reading: str
    inode: int | None = None
    ctime_ns: int | None = None


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


@dataclass(frozen=True, slots=True, eq=False)
class StoredTops:
    """The impostors by ascending id, with their top scores against the gallery of that generation.

    `owners` has an example of the label of each top score; None where these were not recorded.
    """

    ids: Ids
    vectors: Vectors
    scores: Scores
    owners: Ids | None
    gallery: int


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the store holds."""

    items: int
    contents: int
    examples: int


@dataclass(frozen=True, slots=True)
class Compared:
    """What comparing two contents gave, by their sha256 with `one` below `other`.

    `score` is 0 where nothing speaks for a copy. `matrix` (2, 3) takes pixels of `one` to those of `other`; the shares
    are the parts of each picture that the other shows as well, `outside` the contrast of what it does not.
    """

    one: bytes
    other: bytes
    cosine: float
    score: float
    kind: str = ""
    matrix: tuple[tuple[float, ...], ...] | None = None
    one_share: float = 1.0
    other_share: float = 1.0
    outside: float = 0.0


class Look(NamedTuple):
    """What the choice of the picture to keep needs and what only its pixels show."""

    sharpness: float
    entries: int
    """Of metadata in the file."""
    color: float = 0.0
    frames: int = 1
    """More than one for pages and animations, of which only the first is compared."""


class ContentRow(NamedTuple):
    """A content without its vector."""

    id: int
    sha256: bytes
    width: int | None
    height: int | None
    text: str | None
    small: bytes | None
    """A few gray levels of an image; None for a text, and for an image that an earlier version stored."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What the item `kept` takes over from the item `source` that is removed: its label, an entry of its metadata
    (`key`), or the place of an enrolled example (`value` is its label)."""

    source: str
    kept: str
    what: Literal["label", "metadata", "example"]
    key: str | None
    value: JSONValue


@dataclass(frozen=True, slots=True)
class Removal:
    """The removing of duplicates by a plan (its fingerprint), with its journals in a quarantine folder.

    `settled` is whether the items of the store were brought into line with what has happened to the files.
    """

    id: int
    plan: str
    quarantine: str
    hands_over: tuple[Handover, ...]
    settled: bool


class SetAside(NamedTuple):
    """An item whose file was removed as a duplicate, to be restored with it."""

    uri: str
    removal_id: int
    label: str | None
    metadata: Metadata
