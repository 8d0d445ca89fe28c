"""The language of filters: from a text to a tree of conditions. Knows no engine and loads no heavy library."""

from simsearch.where.parsing import parse

__all__ = ["parse"]
