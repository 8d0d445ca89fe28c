"""Calibrating recognition: impostors read, the threshold and the probabilities computed and stored."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.adding.labels import folder_label
from simsearch.collection.adding.run import batches
from simsearch.collection.adding.storing import TRANSACTION
from simsearch.collection.identities.deciding import Decider
from simsearch.collection.identities.reading import encoded_examples, own_vectors, read_example
from simsearch.errors import UsageError
from simsearch.evaluation.statistics.probability import encoder_curve
from simsearch.labelled.columns import ROLE_NAMES
from simsearch.labelled.reading import read_labelled
from simsearch.labelled.tables import open_labelled_table
from simsearch.media.ahead import ahead
from simsearch.media.folders.filters import LeftOut, as_skips
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.scan import scan
from simsearch.media.tables import TABLE_SUFFIXES
from simsearch.media.texts import TEXT_SUFFIXES
from simsearch.progress import Working
from simsearch.recognition.binomial import check_rates
from simsearch.recognition.calibration import Calibration, calibrated
from simsearch.recognition.decide import Tops, tops
from simsearch.recognition.gallery import RULE
from simsearch.recognition.threshold import Projection, projections
from simsearch.store.records import NewImpostor
from simsearch.types import Skip, Text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.labelled.reading import Kind, Modality
    from simsearch.progress import Progress
    from simsearch.store import Store
    from simsearch.types import Encoder, Query, Vectors


@dataclass(frozen=True, slots=True)
class Settings:
    """What is to hold: the false-accept rate, the confidence in it, and the share of unknown queries."""

    far: float
    confidence: float = 0.95
    unknown_prior: float = 0.5
    seed: int = 0
    encoding: str | None = None
    """Of impostors in text files and tables without a byte order mark."""


@dataclass(frozen=True, slots=True)
class CalibrationReport:
    """The calibration, the rates projected to larger galleries, and what was left out of the impostors, and why."""

    calibration: Calibration
    projections: tuple[Projection, ...]
    left_out: tuple[Skip, ...]


def calibrate(
    store: Store,
    encoder: Encoder | None,
    decider: Decider,
    settings: Settings,
    impostors: str | Path | ArrayLike | None,
    progress: Progress,
) -> CalibrationReport:
    """Computes the calibration of the gallery and stores it.

    `impostors` is a folder with a sub-folder or a file for each identity that is not enrolled, or a table of texts; to
    own vectors, rows of shape (n, dim). Without it those of the last calibration serve again, and if there are none
    each enrolled identity is left out in turn, which gives an estimate without a guarantee.
    """
    check_rates(settings.far, settings.confidence)
    if not decider.gallery.examples:
        raise UsageError("Nobody is enrolled yet. Enroll first: simsearch enroll LABEL FILE")
    if impostors is None:
        rows, left_out = _kept(store), list[Skip]()
    elif encoder is None:
        rows, left_out = _of_vectors(own_vectors(store, impostors, "an impostor"))
    elif isinstance(impostors, (str, Path)):
        rows, left_out = _read(store, encoder, decider, Path(impostors), settings, progress)
    else:
        raise UsageError(f"the encoder {encoder.name} reads impostors from a folder or a table; give its path")
    rows, enrolled = _not_enrolled(store, decider, rows)
    left_out += enrolled
    if impostors is not None and not rows:
        what = f"{impostors} has no {encoder.modality}" if encoder else "the array has no row"
        raise UsageError(f"{what} that can serve as an impostor")
    vectors = np.stack([row.vector for row in rows]) if rows else None
    best = None if vectors is None else tops(vectors, decider.gallery, RULE)
    made = calibrated(
        decider.gallery,
        None if best is None else best.scores,
        rate=settings.far,
        confidence=settings.confidence,
        prior=settings.unknown_prior,
        fingerprint=store.setting("fingerprint") or "",
        rule=RULE,
        curve=None if encoder is None else encoder_curve(encoder),
        seed=settings.seed,
    )
    kept = best or Tops(np.empty(0, np.float32), np.empty(0, np.int64))
    store.calibrate(json.dumps(made.document()), rows, kept.scores, kept.owners)
    return CalibrationReport(made, projections(settings.far), tuple(left_out))


def _kept(store: Store) -> list[NewImpostor]:
    """The impostors of the last calibration."""
    found, vectors = store.impostors()
    return [NewImpostor(*one, vector) for one, vector in zip(found, vectors, strict=True)]


def _of_vectors(vectors: Vectors) -> tuple[list[NewImpostor], list[Skip]]:
    """Each row as an impostor of its own; those that are equal to an earlier one are left out."""
    found, out = dict[bytes, NewImpostor](), list[Skip]()
    for number, vector in enumerate(vectors):
        digest = hashlib.sha256(vector).digest()
        if digest in found:
            out.append(Skip(f"row {number}", "equal to another impostor"))
        else:
            # Named by content, as a label could be named like a row.
            found[digest] = NewImpostor(digest.hex(), f"row {number}", digest, vector)
    return list(found.values()), out


def _not_enrolled(store: Store, decider: Decider, rows: Sequence[NewImpostor]) -> tuple[list[NewImpostor], list[Skip]]:
    contents, labels = store.example_contents(), set(decider.gallery.labels)
    left, out = list[NewImpostor](), list[Skip]()
    for row in rows:
        label = row.identity if row.identity in labels else contents.get(row.sha256)
        if label is None:
            left.append(row)
        else:
            out.append(Skip(row.uri or row.identity, f"enrolled as {label}, so no impostor"))
    return left, out


def _read(
    store: Store, encoder: Encoder, decider: Decider, source: Path, settings: Settings, progress: Progress
) -> tuple[list[NewImpostor], list[Skip]]:
    """One draw of each identity, the first in random order that can be read, encoded."""
    candidates, out = _candidates(source, encoder, settings)
    out += _drop_enrolled(store, decider, candidates)
    found, seen = list[NewImpostor](), set[bytes]()
    with Working(progress, len(candidates), "impostors", "encoding"):
        while candidates:
            given = [(identity, sources[0]) for identity, sources in candidates.items()]
            failed = set[str]()
            for batch in batches(ahead(lambda one: read_example(encoder, *one, settings.encoding), given), TRANSACTION):
                rows, skipped = encoded_examples(store, encoder, batch)
                out += [skip for _, skip in skipped]
                failed |= {identity for identity, _ in skipped}
                for identity, row in rows:
                    if row.sha256 in seen:
                        out.append(Skip(row.uri or identity, "equal to another impostor"))
                        continue
                    seen.add(row.sha256)
                    found.append(NewImpostor(identity, row.uri, row.sha256, row.vector))
                progress.advance(len(rows))
            candidates = {name: candidates[name][1:] for name in candidates if name in failed and candidates[name][1:]}
    return found, out


def _candidates(source: Path, encoder: Encoder, settings: Settings) -> tuple[dict[str, list[Query]], list[Skip]]:
    """The sources of each identity in random order, and what is none."""
    if not source.exists():
        raise UsageError(f"{source} does not exist; give a folder with a file or a folder for each impostor")
    out: list[Skip] = []
    found: dict[str, list[Query]] = {}
    folder = source.is_dir()
    given = _of_folder(source, encoder, out) if folder else _of_table(source, encoder, out, settings.encoding)
    for identity, one in given:
        found.setdefault(identity, []).append(one)
    rng = np.random.default_rng(settings.seed)
    return {name: [found[name][at] for at in rng.permutation(len(found[name]))] for name in found}, out


def _of_folder(source: Path, encoder: Encoder, out: list[Skip]) -> Iterator[tuple[str, Query]]:
    """A folder in the source is an identity; a file that lies in none is one by itself."""
    left_out: list[LeftOut] = []
    top = os.path.abspath(source)  # noqa: PTH100  (resolving links would rename the impostors)
    for entry in scan(top, *((TEXT_SUFFIXES, "text") if encoder.modality == "text" else (IMAGE_SUFFIXES, "image"))):
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif isinstance(entry, Skip):
            out.append(entry)
        else:
            yield folder_label(entry.path, top) or entry.path, Path(entry.path)
    out.extend(as_skips(left_out))


def _of_table(source: Path, encoder: Encoder, out: list[Skip], encoding: str | None) -> Iterator[tuple[str, Query]]:
    """The sources of a table; those of a class are one identity, and without classes each source is."""
    modality: Modality = "text" if encoder.modality == "text" else "image"
    kind: Kind | None = "unlabelled" if _is_without_labels(source, encoding) else None
    found = read_labelled(source, modality=modality, kind=kind, encoding=encoding)
    if found.kind not in ("classes", "unlabelled"):
        raise UsageError(f"{source} holds {found.kind}; impostors are classes, or texts without labels")
    out.extend(found.skipped)
    for row, one in enumerate(found.sources):
        identity = one if found.labels is None else found.classes[int(found.labels[row])]
        yield identity, Text(one) if found.modality == "text" else Path(one)


def _is_without_labels(source: Path, encoding: str | None) -> bool:
    """Whether a table has none of the columns by which classes, pairs or triplets are known."""
    if source.suffix.lower() not in TABLE_SUFFIXES:
        return False
    with open_labelled_table(source, encoding=encoding) as table:
        roles = {
            role for role, words in ROLE_NAMES.items() if {*words} & {name.lower() for name in table.columns or ()}
        }
    return roles <= {"text", "path"}


def _drop_enrolled(store: Store, decider: Decider, candidates: dict[str, list[Query]]) -> list[Skip]:
    """Removes identities that are enrolled, by name or by the content of any of their sources."""
    contents, labels = store.example_contents(), set(decider.gallery.labels)
    out = []
    for identity, sources in list(candidates.items()):
        known = ((str(one), contents.get(_digest(one))) for one in sources)
        where = (identity, identity) if identity in labels else next((pair for pair in known if pair[1]), None)
        if where is not None:
            del candidates[identity]
            out.append(Skip(where[0], f"enrolled as {where[1]}, so {identity} is no impostor"))
    return out


def _digest(source: Query) -> bytes:
    """The sha256 of a source, as examples are stored; empty for what cannot be read, which is reported later."""
    if isinstance(source, Text):
        return hashlib.sha256(source.encode()).digest()
    try:
        with Path(str(source)).open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return b""
