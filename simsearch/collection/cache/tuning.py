"""Lists for the rows of the index files: trained, tuned on stored vectors, and measured on others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from simsearch.collection.cache.opening import CODES, IDS, ROWS, Files, free_name
from simsearch.manifest import Manifest, PartFile, replacing
from simsearch.vectors.choose import Design, design_of

if TYPE_CHECKING:
    from simsearch.vectors.audit import HeldOut
    from simsearch.vectors.faiss_index import FaissFlatIndex
    from simsearch.vectors.inverted import InvertedIndex

QUERIES = 1000
"""Stored vectors for tuning, and as many others for measuring what was tuned."""
TRAINING_SEED, TUNING_SEED, AUDIT_SEED = 0, 1, 2


def train_lists(
    folder: Path, generation: int, files: Files, wanted: Design, codes: tuple[str, ...]
) -> tuple[Manifest, str]:
    """A manifest with new lists, their file written, and a note on them; of flat rows where lists miss the recall.

    Of the codes, the fastest first, the first counts with which they reach it.
    """
    from simsearch.vectors.inverted import write_lists
    from simsearch.vectors.quantizing import train

    rows = files.main.exact
    for code in codes:
        lists = train(rows, replace(wanted, code=code), TRAINING_SEED)
        design, audit = _tuned(rows, lists, replace(wanted, code=code, trained=len(rows)))
        if design.kind == "lists":
            path = free_name(folder, "codes", generation, ".faiss")
            with replacing(path) as temporary:
                write_lists(temporary, lists)
            parts = {**files.manifest.files, CODES: PartFile.of(path)}
            return replace(files.manifest, files=parts, chosen=design.document(), audit=audit), ""
    return flat(files.manifest, design), design.reason


def tune_lists(files: Files, main: InvertedIndex, wanted: Design) -> tuple[Manifest, str]:
    """A manifest with the lists that are there, tuned again if they miss the recall, and a note if that changed them.

    It is of flat rows if half of the lists do not reach it.
    """
    from simsearch.vectors.audit import audit

    before = design_of(files.manifest.chosen)
    if before.target == wanted.target:
        found = audit(main, sample(main.exact, AUDIT_SEED))
        if found.recall >= wanted.target:
            return replace(files.manifest, audit=found.document()), ""
    design, measured = _tuned(main.exact, main.lists, replace(before, target=wanted.target))
    if design.kind == "flat":
        return flat(files.manifest, design), design.reason
    note = ""
    if design.probes != before.probes:
        note = f"the index reads {design.probes} lists in place of {before.probes}, for a recall of {wanted.target:g}"
    return replace(files.manifest, chosen=design.document(), audit=measured), note


def flat(manifest: Manifest, design: Design) -> Manifest:
    """The manifest without lists."""
    parts = {part: manifest.files[part] for part in (ROWS, IDS)}
    return replace(manifest, files=parts, chosen=design.document(), audit={})


def _tuned(rows: FaissFlatIndex, lists: Any, design: Design) -> tuple[Design, dict[str, Any]]:
    """The design with the fewest lists that reach its recall, and what another sample of queries finds of it."""
    from simsearch.vectors.tuning import tuned

    index = tuned(rows, lists, sample(rows, TUNING_SEED), design.target)
    if index is None:
        reason = f"half of {design.lists:,} lists do not reach a recall of {design.target:g}: every vector is compared"
        return Design("flat", trained=len(rows), target=design.target, reason=reason), {}
    from simsearch.vectors.audit import audit

    found = audit(index, sample(rows, AUDIT_SEED))
    chosen = replace(design, probes=index.probes, factor=index.factor, near=index.near)
    return chosen, found.document()


def sample(rows: FaissFlatIndex, seed: int) -> HeldOut:
    """Stored vectors with their exact neighbors."""
    from simsearch.vectors.audit import held_out
    from simsearch.vectors.quantizing import sample_of

    places = sample_of(len(rows), QUERIES, seed)
    return held_out(rows, rows.ids[places], rows.rows[places])
