"""From jobs to items in the store: read and prepared in threads, encoded, and written a batch at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from simsearch.collection.adding.changes import duplicate_id
from simsearch.collection.adding.run import Job, Row, Run, batches
from simsearch.errors import MediaError, VectorError
from simsearch.media.ahead import ahead
from simsearch.media.decoding import RULES
from simsearch.media.files import read_file
from simsearch.media.image_facts import small_gray
from simsearch.media.images import Picture
from simsearch.media.rows import BadRow
from simsearch.media.texts import decode_text, read_text_bytes
from simsearch.store import Write
from simsearch.types import Skip

if TYPE_CHECKING:
    from simsearch.types import Encoder, Prepared, Vectors

TRANSACTION = 256
AT_ONCE = 32
"""How many texts a thread prepares in one go: each takes less time than handing it over."""


@dataclass(frozen=True, slots=True)
class _Read:
    """`prepared` is None for a content that was stored already when it was read."""

    job: Job
    sha256: bytes
    prepared: Prepared | None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class _Failed:
    """A file or row that gave no image or text."""

    job: Job
    reason: str


Outcome: TypeAlias = _Read | _Failed


def outcomes(encoder: Encoder, jobs: Iterator[Job], *, strict: bool = False) -> Iterator[list[Outcome]]:
    """What the jobs gave, read in threads while the batch before them is encoded and stored.

    With `strict` a file of which a part is missing has failed.
    """
    at_once = min(AT_ONCE, TRANSACTION) if encoder.modality == "text" else 1

    def read_some(some: list[Job]) -> list[Outcome]:
        return [_judged(_read(encoder, job), strict) for job in some]

    read = ahead(read_some, batches(jobs, at_once), depth=TRANSACTION // at_once)
    return batches((outcome for some in read for outcome in some), TRANSACTION)


def _judged(outcome: Outcome, strict: bool) -> Outcome:
    if strict and isinstance(outcome, _Read) and outcome.prepared is not None and outcome.prepared.incomplete:
        return _Failed(outcome.job, outcome.prepared.remark)
    return outcome


def _read(encoder: Encoder, job: Job) -> Outcome:
    """A file or row read, hashed and decoded; runs in a thread."""
    if job.row is not None:
        return _from_row(encoder, job, job.row)
    try:
        content = read_text_bytes(job.uri) if encoder.modality == "text" else read_file(job.uri)
        if encoder.modality == "text":
            text = decode_text(content, job.encoding)
            digest = hashlib.sha256(text.encode()).digest()
            return _Read(job, digest, None if digest == job.sha256 else encoder.prepare(text), text)
        digest = hashlib.sha256(content).digest()
        return _Read(job, digest, None if digest == job.sha256 else encoder.prepare(content))
    except MediaError as error:
        return _Failed(job, str(error))


def _from_row(encoder: Encoder, job: Job, row: Row) -> Outcome:
    try:
        return _Read(job, row.sha256, None if row.stored else encoder.prepare(row.text), row.text)
    except MediaError as error:
        return _Failed(job, str(error))


def write(run: Run, batch: Sequence[Outcome]) -> None:
    """Encodes what is new in a batch and stores it all in one transaction."""
    run.progress.advance(len(batch))
    good = _without_duplicate_ids(run, [outcome for outcome in batch if isinstance(outcome, _Read)])
    for outcome in batch:
        if isinstance(outcome, _Failed):
            _skip(run, outcome.job, outcome.reason)
    contents = run.store.content_ids([outcome.sha256 for outcome in good])
    new = {outcome.sha256: outcome for outcome in good if outcome.sha256 not in contents}
    vectors = _encoded(run, _all_prepared(run, list(new.values())))
    writes = []
    for outcome in good:
        if outcome.sha256 in contents or outcome.sha256 in vectors:
            writes.append(_row(run, outcome, vectors))
            if outcome.prepared is not None and outcome.prepared.remark:
                run.remark(outcome.job.uri, outcome.prepared.remark)
            _count(run, outcome, contents.get(outcome.sha256), new.get(outcome.sha256) is outcome)
    if writes:
        run.store.write(writes)


def _without_duplicate_ids(run: Run, outcomes: list[_Read]) -> list[_Read]:
    """The outcomes without rows whose id another row of this run has; all earlier rows are stored already."""
    new = [outcome.job.uri for outcome in outcomes if outcome.job.row is not None and outcome.job.known is None]
    if not new:
        return outcomes
    taken, single = set(run.store.known(new)), []
    for outcome in outcomes:
        job = outcome.job
        if job.row is not None and job.known is None:
            if job.uri in taken:
                path = job.row.file or job.uri
                run.leave_out(path, duplicate_id(job.uri.removeprefix(f"{path}#"), job.row.line))
                continue
            taken.add(job.uri)
        single.append(outcome)
    return single


def _skip(run: Run, job: Job, reason: str) -> None:
    if job.row is None or job.row.file is None:
        run.skipped.append(Skip(job.uri, reason))
        if job.known is not None:
            run.keep(job.known.item_id, reason)
    else:
        run.leave_out(job.row.file, BadRow(job.row.line, reason))


def _all_prepared(run: Run, outcomes: Sequence[_Read]) -> list[_Read]:
    """The outcomes, prepared also where a content was removed from the store since it was looked up."""
    ready = []
    for outcome in outcomes:
        again = _prepared_again(run.encoder, outcome) if outcome.prepared is None else outcome
        if isinstance(again, _Failed):
            _skip(run, again.job, again.reason)
        else:
            ready.append(again)
    return ready


def _prepared_again(encoder: Encoder, outcome: _Read) -> Outcome:
    if outcome.text is None:
        return _read(encoder, replace(outcome.job, sha256=None))
    try:
        return replace(outcome, prepared=encoder.prepare(outcome.text))
    except MediaError as error:
        return _Failed(outcome.job, str(error))


def _encoded(run: Run, outcomes: Sequence[_Read]) -> dict[bytes, Vectors]:
    """Vectors by content. An input for which the encoder gives none is skipped, the others are not."""
    rows: dict[bytes, Vectors] = {}
    for outcome, row in zip(outcomes, embed_each(run.encoder, [one.prepared for one in outcomes]), strict=True):
        if isinstance(row, VectorError):
            _skip(run, outcome.job, row.reason)
        else:
            rows[outcome.sha256] = row
    return rows


def embed_each(encoder: Encoder, prepared: Sequence[Prepared | None]) -> list[Vectors | VectorError]:
    """The vector of each prepared input, or why the encoder gives none for it."""
    if not prepared:
        return []
    try:
        return list(encoder.embed(prepared))
    except VectorError as error:
        if len(prepared) == 1:
            return [error]
        half = len(prepared) // 2
        return [*embed_each(encoder, prepared[:half]), *embed_each(encoder, prepared[half:])]


def _row(run: Run, outcome: _Read, vectors: dict[bytes, Vectors]) -> Write:
    job, prepared = outcome.job, outcome.prepared
    return Write(
        uri=job.uri,
        sha256=outcome.sha256,
        size=job.size,
        mtime_ns=job.mtime_ns,
        label=job.label,
        metadata=job.metadata,
        kind=run.encoder.modality,
        width=prepared.width if prepared else None,
        height=prepared.height if prepared else None,
        vector=vectors.get(outcome.sha256),
        text=outcome.text,
        file=None if job.row is None else job.row.file,
        inode=job.inode,
        ctime_ns=job.ctime_ns,
        rules=RULES,
        small=small_gray(prepared.pixels) if isinstance(prepared, Picture) else None,
    )


def _count(run: Run, outcome: _Read, content_id: int | None, encoded: bool) -> None:
    known = outcome.job.known
    if known is not None:
        run.seen.add(known.item_id)
        # A row is written only when something about it has changed.
        same = known.content_id == content_id and outcome.job.row is None
        counted = run.accounted.take(known.item_id)
        run.unchanged += counted if same else 0
        run.updated += 0 if same else counted
    elif encoded:
        run.added += 1
    else:
        run.reused += 1
        if content_id is not None:
            run.reused_contents.add(content_id)
