"""The store: items, contents and examples in one SQLite file. Loads SQLAlchemy; import it where it is needed."""

from simsearch.store.records import Counts, Known, NewExample, Outdated, Renewal, RowFile, Write
from simsearch.store.sqlite import Store

__all__ = ["Counts", "Known", "NewExample", "Outdated", "Renewal", "RowFile", "Store", "Write"]
