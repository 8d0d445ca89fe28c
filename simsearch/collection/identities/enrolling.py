"""Identities: enrolled from examples, recognized by the nearest one."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from simsearch.collection.adding.labels import folder_label
from simsearch.collection.adding.run import batches
from simsearch.collection.adding.storing import TRANSACTION, embed_each
from simsearch.collection.encoding import like_words, takes_text, text_of
from simsearch.collection.querying import interpret, is_folder
from simsearch.errors import MediaError, UsageError, VectorError
from simsearch.media.ahead import ahead
from simsearch.media.arguments import TEXT, one_source, require, source_list
from simsearch.media.decoding import RULES
from simsearch.media.encodings import check_encoding
from simsearch.media.files import is_url, read_file
from simsearch.media.folders.filters import LeftOut, as_skips
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import BLANK_REMARK
from simsearch.media.scan import scan
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.progress import Working
from simsearch.store import NewExample
from simsearch.types import Item, Skip, Text
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Prepared, Query, QueryLike, Vectors


@dataclass(frozen=True, slots=True)
class EnrollReport:
    """`added` examples are new; `existing` ones had been enrolled under this label before."""

    added: int = 0
    existing: int = 0
    skipped: tuple[Skip, ...] = ()


@dataclass(frozen=True, slots=True)
class FoldersReport:
    """What was enrolled of a folder for each label; `skipped` has all that was not, also files of no label."""

    labels: Mapping[str, EnrollReport]
    skipped: tuple[Skip, ...]


@dataclass(frozen=True, slots=True)
class ReadExample:
    """An example to be: read and prepared, or with the reason why it could not be."""

    label: str
    name: str
    sha256: bytes = b""
    prepared: Prepared | None = None
    text: str | None = None
    reason: str = ""


def enroll(
    store: Store,
    encoder: Encoder,
    label: str,
    sources: Iterable[QueryLike],
    *,
    force: bool = False,
    encoding: str | None = None,
) -> EnrollReport:
    """Makes each source an example of `label`. What cannot be read, or is blank without `force`, is skipped and listed.

    A blank example would be the nearest one of every blank input.
    """
    _check_label(label)
    meant: list[tuple[str, Query]] = []
    closed: list[Skip] = []
    for row, source in enumerate(source_list(sources)):
        try:
            meant.append((label, _meant(one_source(source, row), store, encoder)))
        except MediaError as error:
            closed.append(Skip(f"row {row}", error.reason))
    report = enroll_all(store, encoder, meant, force=force, encoding=encoding).get(label, EnrollReport())
    return replace(report, skipped=(*closed, *report.skipped))


def enroll_vectors(store: Store, label: str, vectors: ArrayLike | Iterable[object]) -> EnrollReport:
    """Makes each row an example of `label`, all in one transaction; with a bad row none is stored."""
    _check_label(label)
    rows = own_vectors(store, vectors, f"an example of {label!r}")
    new = [(label, NewExample("", hashlib.sha256(row).digest(), row)) for row in rows]
    added = store.add_examples(new).get(label, 0)
    return EnrollReport(added, len(new) - added)


def own_vectors(store: Store, vectors: object, what: str) -> Vectors:
    """The vectors of shape (n, dim) as the collection stores them; n may be 0.

    Raises UsageError for files or texts, VectorError for a bad row. `what` names one of them in the message.
    """
    if isinstance(vectors, (str, bytes, os.PathLike)):
        vectors = [vectors]
    given: Any = vectors if isinstance(vectors, np.ndarray) and vectors.ndim else source_list(cast("Any", vectors))
    dim = int(store.setting("dim") or 0)
    strange = next((one for one in given if isinstance(one, (str, bytes, os.PathLike, Item))), None)
    if strange is not None:
        raise UsageError(f"this collection holds your own vectors: {what} is {dim} numbers, not {strange!r}")
    return as_vectors(given, dim) if len(given) else np.empty((0, dim), np.float32)


def _check_label(label: str) -> None:
    require(TEXT, label=label)
    if not label.strip():
        raise UsageError("a label must have at least one letter")


def enroll_folders(
    store: Store,
    encoder: Encoder,
    root: str | Path,
    progress: Progress,
    *,
    force: bool = False,
    encoding: str | None = None,
) -> FoldersReport:
    """Makes each file in a folder within `root` an example of the label that the folder is named.

    A folder in a folder is a label of its own, as `Greek/alpha`. Raises UsageError when there is no such file.
    """
    top = os.path.abspath(root)  # noqa: PTH100  (resolving links would rename the examples)
    if not is_folder(top):
        raise UsageError(f"{root} is no folder; give one with a folder of examples for each label")
    loose, left_out = list[Skip](), list[LeftOut]()
    given: list[tuple[str, Query]] = []
    for entry in scan(top, *((TEXT_SUFFIXES, "text") if encoder.modality == "text" else (IMAGE_SUFFIXES, "image"))):
        label = folder_label(entry.path, top)
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif isinstance(entry, Skip):
            loose.append(entry)
        elif label is None:
            loose.append(Skip(entry.path, "not in the folder of a label"))
        else:
            given.append((label, Path(entry.path)))
    if not given:
        raise UsageError(f"{root} has no {encoder.modality}s in folders; make a folder of examples for each label")
    with Working(progress, len(given), "examples", "enrolling"):
        reports = enroll_all(store, encoder, given, progress, force=force, encoding=encoding)
    return FoldersReport(
        reports, (*loose, *as_skips(left_out), *(skip for report in reports.values() for skip in report.skipped))
    )


def enroll_all(
    store: Store,
    encoder: Encoder,
    given: Sequence[tuple[str, Query]],
    progress: Progress | None = None,
    *,
    force: bool = False,
    encoding: str | None = None,
) -> dict[str, EnrollReport]:
    """What was enrolled of each label: read in threads, encoded and stored in batches, each one transaction."""
    check_encoding(encoding)
    reports = dict[str, EnrollReport]()
    for batch in batches(
        ahead(lambda one: _unless_blank(read_example(encoder, *one, encoding), force), given), TRANSACTION
    ):
        rows, skipped = encoded_examples(store, encoder, batch)
        added, readable = store.add_examples(rows), Counter(label for label, _ in rows)
        for label in dict.fromkeys(one.label for one in batch):
            before, new = reports.get(label, EnrollReport()), added.get(label, 0)
            reports[label] = EnrollReport(
                before.added + new,
                before.existing + readable[label] - new,
                (*before.skipped, *(skip for of, skip in skipped if of == label)),
            )
        if progress is not None:
            progress.advance(len(batch))
    return reports


def _unless_blank(read: ReadExample, force: bool) -> ReadExample:
    if force or read.prepared is None or not read.prepared.remark.startswith(BLANK_REMARK):
        return read
    return ReadExample(read.label, read.name, reason=f"{read.prepared.remark}; --force (force=True) enrolls it")


def encoded_examples(
    store: Store, encoder: Encoder, batch: Sequence[ReadExample]
) -> tuple[list[tuple[str, NewExample]], list[tuple[str, Skip]]]:
    """The examples and what is skipped, each with its label; contents that are in the store need no encoding."""
    readable = {one.sha256: one for one in batch if not one.reason}
    stored = store.content_ids(list(readable))
    vectors: dict[bytes, Vectors | VectorError] = dict(
        zip(stored, store.vectors_of(list(stored.values())), strict=True) if stored else ()
    )
    new = [one for one in readable.values() if one.sha256 not in stored]
    vectors |= zip((one.sha256 for one in new), embed_each(encoder, [one.prepared for one in new]), strict=True)
    rows, skipped = list[tuple[str, NewExample]](), list[tuple[str, Skip]]()
    for one in batch:
        vector = vectors.get(one.sha256)
        if vector is None or isinstance(vector, VectorError):
            reason = vector.reason if isinstance(vector, VectorError) else ""
            skipped.append((one.label, Skip(one.name, one.reason or reason)))
        else:
            rows.append((one.label, NewExample(one.name, one.sha256, vector, one.text, RULES)))
    return rows, skipped


def _meant(source: Query, store: Store, encoder: Encoder) -> Query:
    """Like `interpret`, but an existing folder is none of its texts, and words are no examples of images."""
    if isinstance(source, str) and not isinstance(source, Text) and is_folder(source):
        return Path(source)
    meant = interpret(source, store, lambda: takes_text(encoder))
    if encoder.modality == "text":
        return meant
    if isinstance(meant, Text):
        raise UsageError("words cannot be an example of images; give a file")
    return Path(meant.uri) if isinstance(meant, Item) else meant


def read_example(encoder: Encoder, label: str, source: Query, encoding: str | None = None) -> ReadExample:
    """A source, read and prepared. Safe in threads."""
    name = str(source) if isinstance(source, Text) else _name(source) or "given in memory"
    if isinstance(source, Path) and encoder.modality != "text" and like_words(source):
        return ReadExample(label, name, reason="no such file, and words cannot be an example of images")
    if isinstance(source, Path) and is_folder(source):
        return ReadExample(
            label, name, reason="a folder; give its files, or --from-folders with a folder for each label"
        )
    try:
        if encoder.modality == "text":
            text = (source.text or "") if isinstance(source, Item) else text_of(source, encoding)
            digest, prepared = hashlib.sha256(text.encode()).digest(), encoder.prepare(text)
            return ReadExample(label, _name(source), digest, prepared, text)
        content = read_file(source) if isinstance(source, (str, Path)) else source
        prepared = encoder.prepare(content)  # type: ignore[arg-type]
        digest = hashlib.sha256(content if isinstance(content, bytes) else prepared.pixels).digest()  # type: ignore[attr-defined]
    except MediaError as error:
        reason = error.reason.removeprefix(f"{source}: " if isinstance(source, Path) else "")
        return ReadExample(label, name, reason=reason)
    return ReadExample(label, _name(source), digest, prepared)


def _name(source: Query) -> str:
    if isinstance(source, Item):
        return source.uri
    if isinstance(source, str) and is_url(source):
        return source
    # abspath keeps the name that the user knows; resolving links would not.
    named = isinstance(source, (str, Path)) and not isinstance(source, Text)
    return os.path.abspath(source) if named else ""  # type: ignore[arg-type]  # noqa: PTH100


def examples_from(store: Store, file: str | Path) -> list[int]:
    """The ids of the examples that were enrolled from a file, or under a uri."""
    names = {os.path.abspath(file), os.fspath(file)}  # noqa: PTH100  (as `_name`)
    return [example.id for example in store.examples()[0] if example.uri in names]


def rename(store: Store, label: str, new: str) -> int:
    """Gives a label another name; returns the number of its examples."""
    known = store.labels()
    _check_label(new)
    if new in known and new != label:
        raise UsageError(f"{new!r} is enrolled already; to join the two: simsearch merge {label} {new}")
    _require(known, label)
    return known[label] if new == label else store.move_label(label, new)[0]


def merge(store: Store, label: str, target: str) -> int:
    """Makes the examples of a label examples of another; returns how many it has given."""
    known = store.labels()
    _require(known, label)
    _require(known, target)
    if label == target:
        raise UsageError(f"{label!r} cannot be merged with itself; name two labels")
    return store.move_label(label, target)[0]


def _require(known: Mapping[str, int], label: str) -> None:
    if label not in known:
        raise UsageError(f"no example is enrolled as {label!r}; there are {len(known):,} labels: simsearch identities")
