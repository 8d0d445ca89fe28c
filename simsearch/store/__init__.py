"""The store: items, contents and examples in one SQLite file. Loads SQLAlchemy; import it where it is needed."""

from simsearch.store.records import (
    Compared,
    ContentRow,
    Counts,
    Handover,
    Known,
    Look,
    NewExample,
    Removal,
    RowFile,
    SetAside,
    Write,
)
from simsearch.store.sqlite import Store

__all__ = [
    "Compared",
    "ContentRow",
    "Counts",
    "Handover",
    "Known",
    "Look",
    "NewExample",
    "Removal",
    "RowFile",
    "SetAside",
    "Store",
    "Write",
]
