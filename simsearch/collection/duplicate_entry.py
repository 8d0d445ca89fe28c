"""The calls behind `simsearch dedupe`: from names and folders to collections."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.duplicates.applying import Undone, journal_of
from simsearch.collection.duplicates.finding import check
from simsearch.collection.duplicates.settling import latest
from simsearch.collection.entry import index_sources, open_one
from simsearch.collection.facade import Collection
from simsearch.collection.opening import default_encoder
from simsearch.collection.places import default_name, existing, home, is_collection, named
from simsearch.duplicates.removal.journal import read_journal
from simsearch.duplicates.removal.plan_file import read_plan
from simsearch.duplicates.removal.undo import undo_run
from simsearch.encoders import open_encoder
from simsearch.errors import CollectionNotFoundError, MediaError, PlanError
from simsearch.media.text_rows import Reading

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Plan
    from simsearch.progress import Progress
    from simsearch.types import Skip


LISTED = 20
"""How many files that cannot be read are listed with an error."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An open collection; `skipped` could not be read when it was brought up to date."""

    collection: Collection
    skipped: tuple[Skip, ...] = ()


@contextlib.contextmanager
def opened(target: str | None, index: str | None, progress: Progress, encoder: str | None = None) -> Iterator[Opened]:
    """The collection that a target means. A folder gets one, as `index` would make it, and is brought up to date.

    An encoder is for a new collection; raises UsageError where there is one with another.
    """
    skipped: tuple[Skip, ...] = ()
    if target is None or (index is None and _is_collection(target)):
        collection = open_one(index if target is None else target)
    elif not Path(target).is_dir():
        raise CollectionNotFoundError(f"{target} is neither a folder nor a collection{_there()}")
    else:
        place = named(index) if index is not None else home() / default_name(target)
        # A missing library is reported before a folder is indexed for hours.
        if not is_collection(place):
            check(_modality(target, encoder))
        done = index_sources(
            [target],
            index=index,
            encoder=encoder,
            labels=None,
            reading=Reading(),
            verify=False,
            prune=False,
            progress=progress,
        )
        if done.withdrawn:
            raise _unreadable(target, done.report.skipped)
        skipped, collection = done.report.skipped, Collection.open(done.folder)
    with collection:
        yield Opened(collection, skipped)


@contextlib.contextmanager
def reference(name: str | None, own: Collection, progress: Progress) -> Iterator[Opened | None]:
    """The collection that copies are looked for in; None without a name. A folder is indexed with the same encoder."""
    if name is None:
        yield None
        return
    if _is_collection(name) or not Path(name).is_dir():
        with opened(name, None, progress) as found:
            yield found
        return
    with opened(name, str(_free(name)), progress, own.store.setting("encoder")) as found:
        yield found


def _unreadable(folder: str, skipped: tuple[Skip, ...]) -> MediaError:
    error = MediaError(f"{folder}: none of its {len(skipped):,} files could be read, so there is nothing to compare")
    for skip in skipped[:LISTED]:
        error.add_note(f"{skip.path}: {skip.reason}")
    return error


def _free(folder: str) -> Path:
    """The collection of a folder, or the first name for one that is not taken by another folder of the same name."""
    wanted, number = home() / default_name(folder), 1
    place = wanted
    while is_collection(place) and not _is_of(place, folder):
        number += 1
        place = wanted.with_name(f"{wanted.name}-{number}")
    return place.absolute()


def _is_of(place: Path, folder: str) -> bool:
    with Collection.open(place) as collection:
        return os.path.abspath(folder) in collection.store.roots()  # noqa: PTH100


def _modality(folder: str, encoder: str | None) -> str:
    return open_encoder(encoder).modality if encoder else "text" if default_encoder([folder]) == "text" else "image"


def _is_collection(name: str) -> bool:
    """Whether a name means a collection: the path of one, or a name under the home folder that is no folder here."""
    return is_collection(Path(name)) or (not Path(name).is_dir() and is_collection(named(name)))


def _there() -> str:
    names = ", ".join(folder.name for folder in existing())
    return f"; there are the collections {names}" if names else ". Make one: simsearch index FOLDER"


@contextlib.contextmanager
def planned(path: str, index: str | None) -> Iterator[tuple[Collection, Plan]]:
    """A plan and its collection: the one named, else the one at the path in the plan, else the one with its id."""
    plan = read_plan(Path(path))
    with _of_plan(plan, index) as collection:
        yield collection, plan


def _of_plan(plan: Plan, index: str | None) -> Collection:
    folder = plan.header.folder
    if index is not None:
        return open_one(index)
    if folder is not None and is_collection(Path(folder)):
        return Collection.open(Path(folder))
    for place in existing():
        collection = Collection.open(place)
        if collection.store.setting("id") == plan.header.collection:
            return collection
        collection.close()
    raise CollectionNotFoundError(f"the collection of the plan, {folder}, is not there; say where it is: --index PATH")


def undo(journal: str | None, index: str | None, progress: Progress) -> Undone:
    """Undoes the run of a journal, or the latest of the collection named, or of all there are.

    The collection is the one named, else the one that has the journal on record; without one only files are put back.
    """
    if journal is not None and index is None:
        folder = _knowing(journal_of(Path(journal)))
        if folder is None:
            return Undone(undo_run(journal_of(Path(journal)), progress=progress), None)
    else:
        folder = None if index is not None else _latest()
    with Collection.open(folder) if folder is not None else open_one(index) as collection:
        return collection.undo_duplicates(journal, progress=progress)


def _knowing(journal: Path) -> Path | None:
    """The collection whose plan a run has carried out. Raises PlanError where there is no such journal."""
    plan = read_journal(journal).plan
    for folder in existing():
        with Collection.open(folder) as collection:
            if any(removal.plan == plan for removal in collection.store.removals.all()):
                return folder
    return None


def _latest() -> Path | None:
    """The collection whose run is the newest that can be undone; None where that is not one of several."""
    found: dict[str, Path] = {}
    for folder in existing():
        with Collection.open(folder) as collection, contextlib.suppress(PlanError):
            found[latest(collection.store).parent.name] = folder
    return found[max(found)] if found else None
