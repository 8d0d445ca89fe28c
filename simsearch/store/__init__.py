"""The store: items, contents and examples in one SQLite file. Loads SQLAlchemy; import it where it is needed."""

from simsearch.store.records import Counts, Known, NewExample, RowFile, Write, Written
from simsearch.store.sqlite import Store

__all__ = ["Counts", "Known", "NewExample", "RowFile", "Store", "Write", "Written"]
