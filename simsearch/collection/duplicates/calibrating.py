"""The threshold of duplicates from labeled pairs, kept with the collection."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from simsearch.collection.duplicates.comparing import VERSION, Ledger
from simsearch.collection.duplicates.contents import load
from simsearch.collection.duplicates.pictures import PictureExaminer
from simsearch.collection.duplicates.texts import TextExaminer
from simsearch.duplicates.finding.thresholds import lowest_threshold
from simsearch.errors import MediaError, UsageError
from simsearch.labelled.pairs import truth_of
from simsearch.media.rows import BadRow, BadRows
from simsearch.media.tables import open_table, shown
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.collection.duplicates.comparing import Numbers
    from simsearch.collection.duplicates.contents import Contents
    from simsearch.store import Store

SETTING = "duplicate_threshold"
COLUMNS = ("a", "b", "same")
LISTED = 20
"""How many bad rows of a table are listed."""
LabelledPair: TypeAlias = "tuple[str, str, bool]"


@dataclass(frozen=True, slots=True)
class PairCalibration:
    """The score from which on pairs count as copies, and what it does to the pairs that it was chosen from."""

    score: float
    precision: float
    recall: float
    pairs: int
    accepted: int
    version: int = VERSION
    """The version of the scores."""
    encoder: str = ""
    """The fingerprint of the encoder whose cosines the scores are; empty where they are proved by pixels."""
    skipped: tuple[Skip, ...] = ()


def calibrate(
    store: Store, pairs: str | os.PathLike[str] | Iterable[LabelledPair], precision: float
) -> PairCalibration:
    """Chooses the threshold from labeled pairs of items and stores it. The store is open for writing."""
    skipped: list[Skip] = []
    given = list(_table(Path(pairs), skipped) if isinstance(pairs, str | os.PathLike) else pairs)
    contents = load(store)
    is_text = store.setting("modality") == "text"
    examine = TextExaminer(contents) if is_text else PictureExaminer(contents)
    scores, same = _scored(given, contents, Ledger(store.comparisons, contents), examine, skipped)
    chosen = lowest_threshold(scores, same, precision)
    found = PairCalibration(
        score=chosen.score,
        precision=chosen.precision,
        recall=chosen.recall,
        pairs=len(same),
        accepted=chosen.accepted,
        encoder=(store.setting("fingerprint") or "") if is_text else "",
        skipped=tuple(skipped),
    )
    kept = {name: value for name, value in asdict(found).items() if name != "skipped"}
    store.set_settings({SETTING: json.dumps(kept)})
    return found


def forget(store: Store) -> None:
    """Returns to the threshold of the preset."""
    store.set_settings({SETTING: ""})


def calibrated(store: Store) -> PairCalibration | None:
    """The threshold that was chosen for this collection, if there is one; see `holds`."""
    kept = store.setting(SETTING)
    if not kept:
        return None
    return PairCalibration(**json.loads(kept))


def holds(store: Store, found: PairCalibration) -> bool:
    """Whether scores are as they were when it was chosen: of this version, and of texts of this encoder."""
    return found.version == VERSION and found.encoder in ("", store.setting("fingerprint"))


def _scored(
    given: list[LabelledPair],
    contents: Contents,
    ledger: Ledger,
    examine: PictureExaminer | TextExaminer,
    skipped: list[Skip],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Scores and labels of the pairs whose contents are there and can be read; others are added to `skipped`."""
    numbers = {item.uri: number for number, items in contents.items.items() for item in items}
    wanted: list[tuple[Numbers, bool]] = []
    for one, other, label in given:
        missing = [name for name in (one, other) if name not in numbers]
        if missing:
            skipped.append(Skip(missing[0], "is no item of the collection, or has changed since it was indexed"))
            continue
        left, right = sorted((numbers[one], numbers[other]))
        wanted.append(((left, right), label))
    todo = dict.fromkeys(key for key, _ in wanted if key[0] != key[1] and key not in ledger.cosines)
    rows = contents.vectors
    ledger.add(*examine([(*key, float(np.dot(rows[key[0]], rows[key[1]]))) for key in todo]))
    skipped += examine.skipped
    known = [(key, label) for key, label in wanted if key[0] == key[1] or key in ledger.cosines]
    scores = [1.0 if key[0] == key[1] else _score(ledger, key) for key, _ in known]
    return np.array(scores), np.array([label for _, label in known], dtype=np.bool_)


def _score(ledger: Ledger, key: Numbers) -> float:
    row = ledger.found.get(key)
    return 0.0 if row is None else row.score


def _table(file: Path, skipped: list[Skip]) -> Iterator[LabelledPair]:
    """The pairs of a table with the columns a, b and same; paths are relative to the table, names as they are."""
    bad, base = BadRows(str(file), LISTED), file.absolute().parent
    try:
        with open_table(file) as table:
            if table.columns is not None and not set(COLUMNS) <= set(table.columns):
                raise MediaError(f"no columns {', '.join(COLUMNS)}; the columns are {shown(table.columns)}")
            for row in table.rows:
                if isinstance(row, BadRow):
                    bad.add(row)
                    continue
                names = [row.text(column) for column in COLUMNS[:2]]
                one, other = (os.path.normpath(base / name) if (base / name).exists() else name for name in names)
                label = truth_of(row.text("same"))
                if label is None:
                    bad.add(BadRow(row.line, f"same={row.text('same')[:60]!r}; must be 0 or 1"))
                else:
                    yield one, other, label
    except MediaError as error:
        raise UsageError(f"{file}: {error}; give a table with {', '.join(COLUMNS)}") from error
    skipped += bad.listed()
