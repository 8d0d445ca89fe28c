"""Metadata of items that are there: from a table beside the files, or as they are given."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.collection.adding.facts import changed_by, facts
from simsearch.collection.adding.given import plain_metadata
from simsearch.collection.adding.labels import LISTED, require_files
from simsearch.collection.adding.roots import is_in
from simsearch.collection.adding.run import LOOK_UP
from simsearch.errors import MediaError, UsageError
from simsearch.media.arguments import shown
from simsearch.media.files import refuse_url
from simsearch.media.rows import BadRows

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import JSONValue, Metadata, Skip

Change = Callable[[Mapping[str, "JSONValue"], Mapping[str, "JSONValue"]], "dict[str, JSONValue]"]
"""From the metadata of an item and what is given for it to its new metadata."""


@dataclass(frozen=True, slots=True)
class MetadataTable:
    """A table of metadata: its values by absolute path (or name of an item), and the rows that cannot be used."""

    path: str
    values: Mapping[str, Mapping[str, JSONValue]]
    bad: tuple[Skip, ...]


def read_table(file: str, encoding: str | None, sources: Sequence[str]) -> MetadataTable:
    """The table of metadata in a file, whose column `path` is relative to it.

    Raises UsageError when it cannot be read, and when none of its paths is a file in the sources.
    """
    refuse_url(file, "a table with the column path")
    bad, base = BadRows(file, LISTED), Path(file).absolute().parent
    try:
        found = facts(file, "path", encoding, bad)
    except MediaError as error:
        raise UsageError(f"--metadata {file}: {error}; give a table with the column path") from error
    values = {os.path.normpath(base / path): row for path, row in found.items()}
    require_files(values, f"--metadata {file}", sources)
    return MetadataTable(os.path.abspath(file), values, tuple(bad.listed()))  # noqa: PTH100  (links stay as they are)


def apply(store: Store, table: MetadataTable, spelled: Mapping[str, str]) -> str:
    """Gives items the values of a table, and returns what was done; `spelled` has the known names of given roots.

    A value replaces that of its key, an empty one takes the key away; other keys stay. One transaction for each 1,000.
    """
    values = dict(table.values)
    for given, root in spelled.items():
        if given != root:
            values |= {root + path[len(given) :]: row for path, row in table.values.items() if is_in(path, given)}
    updated, named = _change(store, values, changed_by)
    missing = [path for path in table.values if path not in named]
    for given, root in spelled.items():
        missing = [path for path in missing if not (is_in(path, given) and root + path[len(given) :] in named)]
    note = f"{table.path}: metadata of {updated:,} item{'' if updated == 1 else 's'} changed"
    if not missing:
        return note
    rows = "1 row names" if len(missing) == 1 else f"{len(missing):,} rows name"
    return f"{note}; {rows} no item: {missing[0]}{' and others' if len(missing) > 1 else ''}"


def set_metadata(store: Store, given: Mapping[str | os.PathLike[str], Metadata], *, replace: bool) -> int:
    """Sets metadata of items by path or uri; returns how many have changed.

    Raises UsageError, with nothing done, for one that is not there and for what JSON cannot hold.
    """
    if not isinstance(given, Mapping):
        raise UsageError(f"metadata is {shown(given)}; give a dict from paths to dicts")
    plain = plain_metadata(list(given.values())) or []
    values = dict(zip(_named(store, list(given)), plain, strict=True))
    change: Change = (lambda _, new: dict(new)) if replace else (lambda before, new: {**before, **new})
    return _change(store, values, change)[0]


def _named(store: Store, names: Sequence[Any]) -> list[str]:
    """The uris of the items of paths, or of uris as given."""
    for name in names:
        if not isinstance(name, (str, os.PathLike)):
            raise UsageError(f"{shown(name)} is no path; give the path or uri of an item")
    exact = [os.fspath(name) for name in names]
    paths = [os.path.abspath(name) for name in exact]  # noqa: PTH100  (links stay as they are)
    known = store.known([*exact, *paths])
    found = [path if path in known else name for name, path in zip(exact, paths, strict=True)]
    missing = [name for name in found if name not in known]
    if missing:
        raise UsageError(f"{missing[0]} is no item of the collection; add it first")
    return found


def _change(store: Store, values: Mapping[str, Mapping[str, Any]], change: Change) -> tuple[int, set[str]]:
    """How many items have other metadata now, and which of the uris are items."""
    updated, named, uris = 0, set[str](), list(values)
    for start in range(0, len(uris), LOOK_UP):
        items = store.items_by_uri(uris[start : start + LOOK_UP])
        named.update(items)
        new = {item.id: change(item.metadata, values[uri]) for uri, item in items.items()}
        different = {item.id: new[item.id] for item in items.values() if new[item.id] != item.metadata}
        store.set_metadata(different)
        updated += len(different)
    return updated, named
