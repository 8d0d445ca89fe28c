"""Every error that simsearch raises on purpose, as one tree.

    SimsearchError                     exit code 1, reported in one line
    ├── UsageError                     wrong arguments or an impossible request; exit code 2
    ├── MissingExtraError              an optional dependency is not installed
    ├── InputError                     one of the inputs that were given
    │   ├── MediaError                 an image or text that cannot be read
    │   └── VectorError                vectors of the wrong shape, not finite, or of zero length
    ├── StoreError                     the database cannot be opened or written
    │   ├── CollectionNotFoundError    no collection at that place
    │   ├── LockedError                another process writes to the collection
    │   └── DiskFullError              no space is left to write to
    ├── DamagedError                   a file of ours fails its size, checksum or format
    ├── EncoderError                   an encoder folder that cannot be used, or gives unusable output
    │   └── EncoderMismatchError       the collection was built with another encoder
    ├── PlanError                      a plan of duplicates that cannot be read or applied
    └── TrainingError                  labeled data that cannot be trained on, or a run that failed

Each message says what is wrong, the value seen, and the cure.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence


class SimsearchError(Exception):
    """Base of all errors raised on purpose; `exit_code` is what the command line exits with.

    The command line tells the message in one line, and each note (`add_note`) in a line below it.
    """

    exit_code = 1


class UsageError(SimsearchError):
    """The request itself is wrong: nothing was done."""

    exit_code = 2


class MissingExtraError(SimsearchError):
    """An optional dependency is missing; the message names the extra to install."""

    def __init__(self, what: str, extra: str) -> None:
        super().__init__(f'{what} needs an extra that is not installed: pip install "simsearch[{extra}]"')
        self.extra = extra


class InputError(SimsearchError):
    """One input cannot be used, for a `reason`; `row` is its place among several, from 0, where there are several."""

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason if row is None else f"row {row}: {reason}")
        self.reason, self.row = reason, row


class MediaError(InputError):
    """One input cannot be read; jobs skip it and list the reason."""


class VectorError(InputError):
    """Vectors have the wrong shape, are not finite, or have zero length."""


class StoreError(SimsearchError):
    """The database cannot be opened, read or written."""


class CollectionNotFoundError(StoreError):
    """There is no collection at that place."""


class LockedError(StoreError):
    """Another process holds the writer's lock."""


class DiskFullError(StoreError):
    """No space is left where something is to be written."""


class DamagedError(SimsearchError):
    """A file that simsearch wrote fails its size, checksum or format."""


class EncoderError(SimsearchError):
    """An encoder folder cannot be used, or its output cannot."""


class EncoderMismatchError(EncoderError):
    """The collection is pinned to another encoder."""


class PlanError(SimsearchError):
    """A plan of duplicates is wrong, or cannot be applied or undone as things are."""


class TrainingError(SimsearchError):
    """The data cannot be trained on, or the run failed."""


@contextlib.contextmanager
def rows_of(numbers: Sequence[int | None]) -> Iterator[None]:
    """Errors from inside, where a part of the inputs is worked on, name the row among all of them: `numbers[row]`.

    With a number of None they name none, as for an input that is the only one.
    """
    try:
        yield
    except InputError as error:
        if error.row is None or error.row >= len(numbers):
            raise
        raise type(error)(error.reason, numbers[error.row]) from error
