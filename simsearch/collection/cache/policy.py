"""When index files are written again: not after every change, and before what is not in them costs too much."""

from __future__ import annotations

from typing import TYPE_CHECKING

from simsearch.manifest import Manifest
from simsearch.vectors.choose import DEFAULT_RECALL, Design, Wish, design_of

if TYPE_CHECKING:
    from simsearch.store import Store

RECALL_SETTING, MEMORY_SETTING = "index_recall", "index_memory"
FEWEST_NEW = 8192
"""So many rows beside the files, and so many removed ones in them, are always allowed."""
SHARE_NEW = 0.05
"""Of a large index, this share of its rows."""
GROWN = 2
"""Lists are trained again when there are so many times the rows that they were trained for."""


def wish_of(store: Store) -> Wish:
    """What the collection is to keep to, by its settings."""
    recall, memory = store.setting(RECALL_SETTING), store.setting(MEMORY_SETTING)
    return Wish(float(recall) if recall else DEFAULT_RECALL, int(memory) if memory else None)


def most_beside(count: int) -> int:
    """How many rows may be beside files of `count` rows, and how many of theirs may be gone."""
    return max(FEWEST_NEW, int(SHARE_NEW * count))


def rows_due(manifest: Manifest, added: int, removed: int) -> bool:
    """Whether the files are to be written again for so many rows that they lack, and so many that went."""
    return max(added, removed) > most_beside(manifest.count)


def training_due(manifest: Manifest, wanted: Design, codes: tuple[str, ...]) -> bool:
    """Whether lists are to be made as `wanted`: with one of these codes."""
    there = design_of(manifest.chosen)
    if wanted.kind == "flat":
        return False
    if there.kind == "flat":
        # Unless they were made and did not reach this recall.
        return manifest.count >= GROWN * there.trained or there.target != wanted.target
    return there.code not in codes or manifest.count >= GROWN * there.trained


def tuning_due(manifest: Manifest, wanted: Design) -> bool:
    """Whether the lists that are there are to be measured again: for another recall, or as they miss it."""
    there = design_of(manifest.chosen)
    if wanted.kind == "flat" or there.kind == "flat":
        return False
    high = manifest.audit.get("high")
    return there.target != wanted.target or not isinstance(high, float) or high < wanted.target
