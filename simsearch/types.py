"""The types that the parts exchange: frozen dataclasses, protocols, and arrays of unit rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    import os
    from pathlib import Path
    from typing import BinaryIO

    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Vectors: TypeAlias = NDArray[np.float32]
    """float32, shape (n, dim), C-contiguous, finite, every row of length one."""
    Ids: TypeAlias = NDArray[np.int64]
    Scores: TypeAlias = NDArray[np.float32]
    """Cosine similarity in [-1, 1]; larger is closer."""
    Source: TypeAlias = str | bytes | Path | Image | NDArray[Any]
    """A path or a text, the bytes of an image file or of a text, a PIL image, or pixels (`media.colors.image_of`)."""
    SourceLike: TypeAlias = Source | os.PathLike[str] | BinaryIO | bytearray | memoryview
    """What callers may give for a source: see `media.arguments.one_source`."""

JSONValue: TypeAlias = "str | int | float | bool | list[JSONValue] | dict[str, JSONValue] | None"
Metadata: TypeAlias = "Mapping[str, JSONValue]"


@dataclass(frozen=True, slots=True)
class Skip:
    """A file or row that was skipped, and why; `count` of them where several are reported as one."""

    path: str
    reason: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to know about an item that was stored; `count` of them where several are reported as one."""

    path: str
    text: str
    count: int = 1


class Text(str):
    """A text as a query, never taken as the name of a file."""

    __slots__ = ()


def shortened(text: str, most: int = 60) -> str:
    """The text, cut with … where it is longer than `most`."""
    return text if len(text) <= most else text[: most - 1] + "…"


@dataclass(frozen=True, slots=True)
class Item:
    """One path (or text) in a collection. Items with equal bytes share a `content_id`; `text` is None for images.

    `problem` says why its file could not be read when it was last indexed; the item is then of the file before.
    """

    id: int
    uri: str
    content_id: int
    label: str | None = None
    size: int = 0
    mtime_ns: int = 0
    metadata: Metadata = field(default_factory=dict)
    text: str | None = None
    problem: str | None = None

    def __repr__(self) -> str:
        return f"Item({self.id}, {_about(self)})"


Query: TypeAlias = "Source | Item"
"""What a collection can be queried with; an array of shape (dim,) is a vector."""
QueryLike: TypeAlias = "SourceLike | Item | Match"
"""What callers may give for a query."""


@dataclass(frozen=True, slots=True)
class Match:
    """An answer to a query: `rank` counts from 1, `score` is the cosine similarity."""

    rank: int
    score: float
    item: Item
    copies: int = 0
    """Of diverse results: how many items were folded into this one, as near copies of it."""

    def __repr__(self) -> str:
        return f"Match({self.rank}, {self.score:.3f}, {_about(self.item)})"


def _about(item: Item) -> str:
    """The fields of an item for a repr: without size and times, long texts cut."""
    named = [("label", item.label), ("text", item.text and shortened(item.text)), ("metadata", dict(item.metadata))]
    named.append(("problem", item.problem))
    return ", ".join([repr(item.uri), *(f"{name}={value!r}" for name, value in named if value)])


@dataclass(frozen=True, slots=True)
class Example:
    """One enrolled example of an identity; `uri` is empty when it was given without a file."""

    id: int
    label: str
    uri: str
    text: str | None = None
    added_at: int | None = field(default=None, compare=False, repr=False)
    """Seconds since 1970; None for one that an older version enrolled."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """An enrolled example and its score against the query."""

    score: float
    example: Example


@dataclass(frozen=True, slots=True)
class Recognition:
    """The identity of one input: `label` is None when the best score is below `threshold`.

    `evidence` holds the best example of each of the nearest labels, best first.
    """

    label: str | None
    score: float
    threshold: float | None
    runner_up: Evidence | None
    evidence: tuple[Evidence, ...]
    probability: float | None = None
    """P(the best label is right | the score), at the prior of the calibration; None where nothing gives it."""
    impostor_p_value: float | None = None
    """The share of the impostors of the calibration that score as high, counting this query as one of them."""
    stale: bool = False
    """Whether the promise of the calibration no longer holds."""

    def __repr__(self) -> str:
        second = self.runner_up
        rest = "" if self.probability is None else f", probability={self.probability:.3f}"
        rest += "" if self.threshold is None else f", threshold={self.threshold:g}"
        rest += "" if second is None else f", runner_up=({second.example.label!r}, {second.score:.3f})"
        return f"Recognition({self.label!r}, {self.score:.3f}{rest})"


@dataclass(frozen=True, slots=True)
class AddReport:
    """What `add` did, counted in items. `reused` items are new but needed no encoding."""

    added: int = 0
    reused: int = 0
    unchanged: int = 0
    updated: int = 0
    removed: int = 0
    kept: int = 0
    """Items that stay as they were because their files could not be read: broken, on a disk that is away, or vanished
    when too many vanished at once."""
    skipped: tuple[Skip, ...] = ()
    vanished: int = 0
    """How many of the kept have vanished, too many at once to believe it."""
    away: tuple[str, ...] = ()
    """Folders of kept items that were on another device than the folder that they are in, and are not now."""
    notes: tuple[str, ...] = ()
    """What else the user should know, a sentence each."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many files and folders do not count, by the reason: a system folder's name, hidden or excluded."""
    remarks: tuple[Remark, ...] = ()
    renewed: int = 0
    """Contents that were encoded again, because they are read otherwise than when they were stored."""


class Prepared(Protocol):
    """An input as the network wants it; `width` and `height` are those of the original, None for a text."""

    @property
    def remark(self) -> str:
        """What a user should know of it: that a part is missing, cut or unknown; empty where all is well."""
        ...

    @property
    def incomplete(self) -> bool:
        """Whether a part of the file is missing."""
        ...

    @property
    def width(self) -> int | None: ...
    @property
    def height(self) -> int | None: ...


class Encoder(Protocol):
    """Turns images or texts into unit vectors."""

    @property
    def name(self) -> str: ...
    @property
    def fingerprint(self) -> str: ...
    @property
    def modality(self) -> str: ...
    @property
    def dim(self) -> int: ...
    def prepare(self, source: SourceLike) -> Prepared:
        """The input, read and decoded: a str is a path to an encoder of images, the text itself to one of texts.

        Safe in threads. Raises MediaError with the reason alone.
        """
        ...

    def embed(self, prepared: Sequence[Any]) -> Vectors:
        """Vectors of shape (len(prepared), dim) of what `prepare` gave. Raises VectorError for a bad one."""
        ...

    def encode(self, sources: Sequence[SourceLike]) -> Vectors:
        """Vectors of shape (len(sources), dim), in order. Raises MediaError for an input it cannot read."""
        ...


@runtime_checkable
class DualEncoder(Protocol):
    """An image encoder with a text encoder for the same space (as CLIP's): matching images and texts are close."""

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dim) in the space of the images, in order."""
        ...


@runtime_checkable
class VocabularyEncoder(Protocol):
    """An encoder of texts that can list the words that it does not know."""

    def unknown_words(self, text: str) -> list[str]:
        """The words of a text that are not in the vocabulary, in order."""
        ...


class VectorIndex(Protocol):
    """Searches vectors by inner product. Ids are content ids; answers come by descending score."""

    def __len__(self) -> int: ...
    @property
    def dim(self) -> int: ...
    @property
    def ids(self) -> Ids:
        """All ids, in the order of the rows."""
        ...

    def search(self, queries: Vectors, k: int, among: Ids | None = None) -> tuple[Ids, Scores]:
        """The ids and scores of the k best of each query, shape (q, min(k, n)); equal scores by ascending id.

        With `among`, ascending ids without repetition, only these are returned, and n is how many of them are there.
        """
        ...

    def range_search(self, queries: Vectors, min_score: float, among: Ids | None = None) -> list[tuple[Ids, Scores]]:
        """For each query the ids and scores of all (of `among`) that score at least `min_score`, best first."""
        ...
