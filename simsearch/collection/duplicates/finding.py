"""Finding the duplicates of a collection, or its copies of a reference, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from simsearch.collection.duplicates import pictures, texts
from simsearch.collection.duplicates.calibrating import PairCalibration, calibrated, holds
from simsearch.collection.duplicates.companions import Folders
from simsearch.collection.duplicates.comparing import Ledger, Numbers, compare_all
from simsearch.collection.duplicates.contents import Contents, load, pairs_of_items, repeated
from simsearch.collection.duplicates.grouping import Groups
from simsearch.collection.duplicates.keeping import TEXT_ORDER, Keeping
from simsearch.collection.duplicates.pictures import PictureExaminer
from simsearch.collection.duplicates.report import DuplicateReport, Stage
from simsearch.collection.duplicates.texts import TextExaminer
from simsearch.duplicates.finding.features import opencv
from simsearch.duplicates.finding.kinds import EXACT, PRESETS, Preset
from simsearch.duplicates.finding.policy import DEFAULT_ORDER, Policy
from simsearch.errors import UsageError
from simsearch.progress import Progress, Silent

if TYPE_CHECKING:
    from simsearch.store import Store

Examiner: TypeAlias = PictureExaminer | TextExaminer


@dataclass(frozen=True, slots=True)
class Wanted:
    """What counts as a copy (`preset`: strict, default or loose), and what is kept. Raises UsageError."""

    preset: str = "default"
    keep: tuple[str, ...] = ()
    """Criteria in their order; the usual ones where there are none."""
    folders: tuple[str, ...] = ()
    """What lies in them is kept, by the criterion `folder`."""
    progress: Progress = field(default_factory=Silent)

    def __post_init__(self) -> None:
        if self.preset not in PRESETS:
            raise UsageError(f"preset {self.preset!r}: it can be {', '.join(PRESETS)}")
        self.policy("image")

    def policy(self, modality: str) -> Policy:
        """The order in which copies are preferred."""
        order = self.keep or (TEXT_ORDER if modality == "text" else DEFAULT_ORDER)
        if self.folders and "folder" not in order:
            order = ("folder", *order)
        return Policy(order, self.folders)


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and what a plan needs beside it."""

    report: DuplicateReport
    contents: Contents
    folders: Folders
    policy: Policy


def check(modality: str) -> None:
    """Raises UsageError or MissingExtraError where duplicates cannot be found, before any work."""
    if modality == "image":
        opencv()
    elif modality != "text":
        raise UsageError("this collection holds your own vectors; duplicates are found among pictures and texts")


def find(store: Store, reference: Store | None, wanted: Wanted) -> Found:
    """What is a copy of what. The store is open for writing: comparisons are kept in it, items stay as they are."""
    modality = store.setting("modality") or ""
    check(modality)
    if reference is not None and reference.setting("fingerprint") != store.setting("fingerprint"):
        raise UsageError(
            f"the reference was built with the encoder {reference.setting('encoder')}, the collection with "
            f"{store.setting('encoder')}; build both with one: simsearch reindex --encoder NAME"
        )
    contents = load(store, reference)
    ledger = Ledger(store.comparisons, contents)
    own = calibrated(store) if wanted.preset == "default" else None
    used = own if own is not None and holds(store, own) else None
    found = _Search(contents, ledger, modality, wanted, used).run()
    return replace(found, report=replace(found.report, is_outdated=own is not used))


def _accepting(preset: Preset, own: PairCalibration | None, is_text: bool) -> Preset:
    """The preset with the score that was chosen for this collection, and texts near enough to reach that score."""
    if own is None:
        return preset
    cosine = min(preset.cosine, texts.cosine_of(own.score)) if is_text else preset.cosine
    return Preset(cosine, own.score)


class _Search:
    def __init__(
        self, contents: Contents, ledger: Ledger, modality: str, wanted: Wanted, own: PairCalibration | None
    ) -> None:
        self._contents, self._ledger, self._wanted = contents, ledger, wanted
        self._policy = wanted.policy(modality)
        self._is_text = modality == "text"
        self._calibration = own
        self._preset = _accepting((texts.PRESETS if self._is_text else PRESETS)[wanted.preset], own, self._is_text)
        self._proved_from = PRESETS["default"].score if own is None else own.score
        self._examine: Examiner = TextExaminer(contents) if self._is_text else PictureExaminer(contents)
        self._copies: dict[Numbers, tuple[float, str]] = {}

    def run(self) -> Found:
        way = texts if self._is_text else pictures
        if self._is_text:
            self._take_normalized()
        candidates = compare_all(
            self._contents,
            self._ledger,
            self._examine,
            cosine=self._preset.cosine,
            strips=way.strips,
            narrow=way.narrow,
            more=way.more,
            progress=self._wanted.progress,
        )
        for key in self._ledger.found:
            self._accept(key)
        # Within a collection equal bytes are one content.
        exact = self._contents.shared()
        self._copies |= dict.fromkeys(exact, (EXACT, "exact"))
        folders = Folders()
        keeping = Keeping(self._contents, self._ledger, folders, self._policy, self._copies)
        groups = Groups(self._contents, self._ledger, keeping, self._copies, self._prove).all()
        report = DuplicateReport(
            groups.groups,
            self._stages(exact, candidates),
            (*self._contents.skipped, *self._examine.skipped),
            groups.apart,
            self._copies,
            self._calibration,
        )
        return Found(report, self._contents, folders, self._policy)

    def _take_normalized(self) -> None:
        todo = [pair for pair in texts.equal_when_normalized(self._contents) if pair[:2] not in self._ledger.cosines]
        self._ledger.add(*self._examine(todo))

    def _accept(self, key: Numbers) -> float | None:
        """The score of a compared pair if it counts as copies, which is remembered; else None."""
        row = self._ledger.found.get(key)
        items, reference = self._contents.items, self._contents.reference
        if row is None or row.score < self._preset.score - 1e-9 or key[0] not in items or key[1] not in items:
            return None
        if reference and (key[0] in reference or key[1] not in reference):
            return None
        doubted = not self._is_text and row.score < self._proved_from
        self._copies[key] = (row.score, "near" if doubted else row.kind)
        return row.score

    def _prove(self, one: int, other: int) -> float | None:
        """Compares two contents that the embeddings have not brought together."""
        key = min(one, other), max(one, other)
        if key not in self._ledger.cosines:
            vectors = self._contents.vectors
            self._ledger.add(*self._examine([(*key, float(np.dot(vectors[key[0]], vectors[key[1]])))]))
        return self._accept(key)

    def _stages(self, exact: list[Numbers], candidates: int) -> tuple[Stage, ...]:
        def count(kinds: Iterable[str]) -> int:
            wanted = set(kinds)
            return pairs_of_items(self._contents, [key for key, (_, kind) in self._copies.items() if kind in wanted])

        equal = pairs_of_items(self._contents, exact) if self._contents.reference else repeated(self._contents)
        if self._is_text:
            return (
                Stage("equal texts", equal),
                Stage("equal but for case, accents, punctuation and spaces", count(["normalized"])),
                Stage("candidates by embedding", candidates),
                Stage("near, with the same words, numbers and names", count(["near"])),
            )
        proved = {kind for _, kind in self._copies.values()} - {"exact", "same pixels", "near"}
        return (
            Stage("equal bytes", equal),
            Stage("equal pixels", count(["same pixels"])),
            Stage("candidates by embedding and gray levels", candidates),
            Stage("edited copies, proved by their geometry", count(proved)),
            Stage("near, not proved", count(["near"])),
        )
