"""The plan of a removal, from groups of duplicates: what goes, what goes with it, what the kept item takes over."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection.duplicates.companions import Beside
from simsearch.duplicates.removal.plan import Action, Companion, FileState, Group, Header, PlannedFile, TakenOver
from simsearch.errors import MediaError, UsageError
from simsearch.media.files import opened, why
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.collection.duplicates.finding import Found
    from simsearch.collection.duplicates.report import DuplicateGroup, DuplicateMember
    from simsearch.store import Store
    from simsearch.types import Item

NOT_PROVED = "near, but not proved to be a copy: put 'remove' here if it is one"
NO_FILE = "is not a file of its own, so it cannot be moved; remove it where it was added"


def header(store: Store, folder: Path, found: Found, reference: Store | None) -> Header:
    """The record in a plan of the collection that it is for. Raises UsageError when that holds no files."""
    searched = tuple(store.roots())
    if not searched:
        raise UsageError(f"{folder} holds no files, so there is nothing to plan")
    policy = (*found.policy.order, *(f"folder {name}" for name in found.policy.folders))
    return Header(
        searched,
        () if reference is None else tuple(reference.roots()),
        policy,
        store.setting("id"),
        store.generation(),
        str(folder.absolute()),
    )


@dataclass(slots=True)
class Planner:
    """Makes the groups of a plan, one at a time; what cannot be planned is listed in `skipped`."""

    found: Found
    is_text: bool
    examples: dict[str, list[str]]
    """The labels that each path is an enrolled example of."""
    skipped: list[Skip] = field(default_factory=list)
    _used: set[str] = field(default_factory=set)

    def groups(self) -> Iterator[Group]:
        """The groups that have files to be removed or left."""
        for group in self.found.report.groups:
            try:
                kept = self._file(group.kept, "keep", group)
            except MediaError as error:
                self.skipped.append(Skip(group.kept.item.uri, f"{error}; its copies stay"))
                continue
            others = [file for copy in group.copies if (file := self._copy(copy, kept, group)) is not None]
            if others:
                yield Group(group.number, (kept, *others), self._taken_over(group, others), group.split)

    def _copy(self, copy: DuplicateMember, kept: PlannedFile, group: DuplicateGroup) -> PlannedFile | None:
        try:
            action, reason = self._action(copy, kept)
            return self._file(copy, action, group, reason)
        except MediaError as error:
            self.skipped.append(Skip(copy.item.uri, str(error)))
            return None

    def _action(self, copy: DuplicateMember, kept: PlannedFile) -> tuple[Action, str]:
        """Whether a copy goes. A RAW or a film goes only where the kept picture has the same."""
        if copy.kind == "near" and not self.is_text:
            return "leave", NOT_PROVED
        if copy.frames > 1:
            return "leave", f"has {copy.frames} pages or frames, of which only the first was compared"
        held = {one.state.sha256 for one in kept.companions}
        for one in self.found.folders.beside(copy.item.uri):
            if one.role == "sidecar" or kept.state.path in one.shared:
                continue
            if one.shared or _sha256(one.path) not in held:
                return "leave", f"{Path(one.path).name} belongs to it, which the kept one does not have"
        return "remove", copy.reason

    def _file(self, member: DuplicateMember, action: Action, group: DuplicateGroup, reason: str = "") -> PlannedFile:
        """Raises MediaError with the reason for what is no file, or none that can be read."""
        if (member.content, member.item.uri) not in self.found.contents.files:
            raise MediaError(NO_FILE)
        row = self.found.contents.rows[member.content]
        # The content of a text is the text, not the bytes of its file.
        digest = _sha256(member.item.uri) if self.is_text else row.sha256.hex()
        state = _state(member.item.uri, digest)
        self._used.add(state.path)
        return PlannedFile(
            state,
            action,
            reason,
            member.kind,
            member.score,
            member.transformation,
            self._companions(member, group),
            member.overlap,
        )

    def _companions(self, member: DuplicateMember, group: DuplicateGroup) -> tuple[Companion, ...]:
        """What goes and stays with a file; what belongs to several pictures stays where it is."""
        planned = {other.item.uri for other in group.members}
        found = []
        for one in () if self.is_text else self.found.folders.beside(member.item.uri):
            if not one.shared and one.path not in self._used and one.path not in planned:
                self._used.add(one.path)
                found.append(_companion(one))
        return tuple(found)

    def _taken_over(self, group: DuplicateGroup, others: Sequence[PlannedFile]) -> tuple[TakenOver, ...]:
        """What the kept item lacks and one that goes has; of several the first counts. A reference takes nothing."""
        if self.found.contents.reference:
            return ()
        going = {file.state.path for file in others if file.action == "remove"}
        gone = [copy.item for copy in group.copies if copy.item.uri in going]
        return taken_over(group.kept.item, gone, self.examples)


def taken_over(kept: Item, going: Sequence[Item], examples: Mapping[str, Sequence[str]]) -> tuple[TakenOver, ...]:
    """What a kept item lacks and one that goes has; `examples` has the labels that a path is an example of."""
    label, entries = kept.label, set(kept.metadata)
    taken: list[TakenOver] = []
    for item in going:
        if label is None and item.label is not None:
            label = item.label
            taken.append(TakenOver(item.uri, "label", label))
        for key, value in item.metadata.items():
            if key not in entries:
                entries.add(key)
                taken.append(TakenOver(item.uri, "metadata", value, key))
        taken += [TakenOver(item.uri, "example", name) for name in examples.get(item.uri, ())]
    return tuple(taken)


def _companion(one: Beside) -> Companion:
    return Companion(_state(one.path, _sha256(one.path)), one.role)


def _state(path: str, digest: str) -> FileState:
    try:
        return FileState.of(path, digest)
    except OSError as error:
        raise MediaError(f"cannot be read: {why(error)}") from error


def _sha256(path: str) -> str:
    """Raises MediaError where the file cannot be read."""
    with opened(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()  # type: ignore[arg-type]
