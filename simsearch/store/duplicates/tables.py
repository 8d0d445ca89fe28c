"""The tables of duplicates: what was compared, and what was removed. The fourth migration makes them."""

from __future__ import annotations

from sqlalchemy import Column, Float, ForeignKey, Integer, LargeBinary, Table, Text, UniqueConstraint

from simsearch.store.schema import METADATA, Uri, Words

COMPARED = Table(
    "compared",
    METADATA,
    Column("one", LargeBinary, primary_key=True),
    Column("other", LargeBinary, primary_key=True),
    Column("cosine", Float, nullable=False),
    Column("score", Float, nullable=False),
    Column("kind", Text, nullable=False),
    Column("matrix", Text),
    Column("one_share", Float, nullable=False),
    Column("other_share", Float, nullable=False),
    Column("outside", Float, nullable=False),
    sqlite_with_rowid=False,
)
LOOK = Table(
    "look",
    METADATA,
    Column("sha256", LargeBinary, primary_key=True),
    Column("sharpness", Float, nullable=False),
    Column("entries", Integer, nullable=False),
    Column("color", Float, nullable=False, server_default="0"),
    Column("frames", Integer, nullable=False),
    sqlite_with_rowid=False,
)
REMOVAL = Table(
    "removal",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("plan", Text, nullable=False),
    Column("quarantine", Uri, nullable=False),
    Column("takes_over", Text, nullable=False),
    Column("settled", Integer, nullable=False),
    UniqueConstraint("plan", "quarantine"),
)
SET_ASIDE = Table(
    "set_aside",
    METADATA,
    Column("uri", Uri, primary_key=True),
    Column("removal_id", Integer, ForeignKey("removal.id"), nullable=False),
    Column("label", Words),
    Column("metadata", Text, nullable=False),
)
TAKEN_OVER = Table(
    "taken_over",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("source", Uri, nullable=False),
    Column("kept", Uri, nullable=False),
    Column("what", Text, nullable=False),
    Column("key", Words),
    Column("value", Text, nullable=False),
)
