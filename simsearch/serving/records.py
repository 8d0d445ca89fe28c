"""Results as JSON, with the names that the commands use for --json."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simsearch.collection.identities.calibrating import CalibrationReport
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.collection.upkeep import Info
    from simsearch.recognition.calibration import Calibration
    from simsearch.recognition.review import Finding
    from simsearch.types import AddReport, Example, Item, Match, Recognition, Skip

PREFIX = "/api/v1"


def rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


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


def recognition_record(query: str, recognition: Recognition) -> dict[str, Any]:
    second = recognition.runner_up
    return {
        "query": query,
        "label": recognition.label,
        "probability": rounded(recognition.probability),
        "impostor_p_value": rounded(recognition.impostor_p_value),
        "score": round(recognition.score, 6),
        "threshold": recognition.threshold,
        "stale": recognition.stale,
        "runner_up": None if second is None else {"label": second.example.label, "score": round(second.score, 6)},
        "evidence": [
            {
                "id": each.example.id,
                "label": each.example.label,
                "path": each.example.uri,
                "score": round(each.score, 6),
                "text": each.example.text,
            }
            for each in recognition.evidence
        ],
    }


def comparison_record(first: str, second: str, found: Comparison) -> dict[str, Any]:
    record = {"a": first, "b": second, "same": found.same, "probability": rounded(found.probability)}
    return record | {"score": round(found.score, 6), "threshold": found.threshold}


def example_record(example: Example) -> dict[str, Any]:
    return {"id": example.id, "path": example.uri, "text": example.text, "added": _date(example.added_at)}


def _date(seconds: int | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="seconds")


def finding_record(finding: Finding) -> dict[str, Any]:
    """An example that looks wrong, and why in words."""
    return {
        "label": finding.label,
        "path": finding.path,
        "kind": finding.kind,
        "other": finding.other,
        "score": rounded(finding.score),
        "bound": rounded(finding.bound),
        "reason": finding.reason,
    }


def skip_records(skipped: Sequence[Skip]) -> list[dict[str, Any]]:
    return [{"path": skip.path, "reason": skip.reason, "count": skip.count} for skip in skipped]


def calibration_record(made: Calibration) -> dict[str, Any]:
    threshold, curve = made.threshold, made.probability
    return {
        "threshold": threshold.score,
        "far": threshold.rate,
        "confidence": threshold.confidence,
        "guaranteed": threshold.guaranteed,
        "impostors": threshold.impostors if threshold.guaranteed else 0,
        "exceeding": threshold.exceeding,
        "identities": made.identities,
        "examples": made.examples,
        "unknown_prior": made.prior,
        "probability": None if curve is None else {"kind": curve.kind, "log_loss": curve.log_loss},
    }


def calibration_report_record(report: CalibrationReport) -> dict[str, Any]:
    return calibration_record(report.calibration) | {
        "projections": [{"times": one.times, "far": one.rate, "worst": one.worst} for one in report.projections],
        "left_out": skip_records(report.left_out),
    }


def added_record(report: AddReport) -> dict[str, Any]:
    counts = ("added", "reused", "unchanged", "updated", "removed", "kept", "vanished", "renewed")
    return {name: getattr(report, name) for name in counts} | {
        "skipped": sum(skip.count for skip in report.skipped),
        "skipped_files": skip_records(report.skipped[:100]),
        "notes": list(report.notes),
    }
