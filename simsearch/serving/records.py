"""Results as JSON, with the names that the commands use for --json."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from simsearch.records import skip_records

if TYPE_CHECKING:
    from simsearch.collection.upkeep import Info
    from simsearch.types import AddReport, Example, Item, Match

PREFIX = "/api/v1"


def collection_record(name: str, info: Info, *, takes_words: bool, read_only: bool) -> dict[str, Any]:
    return {
        "name": name,
        "folder": info.folder,
        "items": info.items,
        "contents": info.contents,
        "modality": info.modality,
        "encoder": info.encoder,
        "fingerprint": info.fingerprint,
        "dim": info.dim,
        "takes_words": takes_words,
        "labels": info.labels,
        "roots": list(info.roots),
        "problems": info.problems,
        "generation": info.generation,
        "bytes_on_disk": info.bytes_on_disk,
        "index": {"kind": info.index.kind, "reason": info.index.reason},
        "recall": None if info.index.recall is None else asdict(info.index.recall),
        "read_only": read_only,
    }


@lru_cache
def _quoted(collection: str) -> str:
    return quote(collection, safe="", errors="surrogatepass")


def item_record(item: Item, collection: str, modality: str) -> dict[str, Any]:
    """An item; `thumbnail` is where its picture is, None where it has none."""
    place = f"{PREFIX}/items/{item.id}/thumbnail?collection={_quoted(collection)}"
    return {
        "id": item.id,
        "path": item.uri,
        "label": item.label,
        "size": item.size,
        "mtime": item.mtime_ns / 1e9,
        "metadata": dict(item.metadata),
        "text": item.text,
        "problem": item.problem,
        "thumbnail": place if modality == "image" else None,
    }


def match_record(match: Match, score_kind: str, collection: str, modality: str) -> dict[str, Any]:
    found = {"rank": match.rank, "score": round(match.score, 6), "score_kind": score_kind}
    return found | item_record(match.item, collection, modality) | {"copies": match.copies}


def example_record(example: Example) -> dict[str, Any]:
    return {"id": example.id, "path": example.uri, "text": example.text, "added": _date(example.added_at)}


def _date(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def added_record(report: AddReport) -> dict[str, Any]:
    counts = ("added", "reused", "unchanged", "updated", "removed", "kept", "vanished", "renewed")
    return {name: getattr(report, name) for name in counts} | {
        "skipped": sum(skip.count for skip in report.skipped),
        "skipped_files": skip_records(report.skipped[:100]),
        "notes": list(report.notes),
    }
