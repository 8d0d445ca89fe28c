"""Looking after a collection: what it holds, whether it is sound, and how its index is kept."""

from simsearch.collection.upkeep.reports import CheckReport, CompactReport, IndexInfo, Info

__all__ = ["CheckReport", "CompactReport", "IndexInfo", "Info"]
