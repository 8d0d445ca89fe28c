"""Results as records of JSON, as the commands print them and the server answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from simsearch.collection.duplicates.report import DuplicatePair
    from simsearch.collection.identities.calibrating import CalibrationReport
    from simsearch.collection.identities.comparing import Comparison
    from simsearch.recognition.calibration import Calibration
    from simsearch.recognition.review import Finding
    from simsearch.types import Recognition, Skip


def rounded(value: float | None) -> float | None:
    """A figure with six decimals, as records have it."""
    return None if value is None else round(value, 6)


def recognition_record(query: str, recognition: Recognition) -> dict[str, object]:
    """An answer of recognition, and the examples that decided."""
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


def comparison_record(first: str, second: str, found: Comparison) -> dict[str, object]:
    """Whether two inputs are of the same identity."""
    record = {"a": first, "b": second, "same": found.same, "probability": rounded(found.probability)}
    return record | {"score": round(found.score, 6), "threshold": found.threshold}


def finding_record(finding: Finding) -> dict[str, object]:
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


def skip_records(skipped: Sequence[Skip]) -> list[dict[str, object]]:
    """Skipped files, and why."""
    return [{"path": skip.path, "reason": skip.reason, "count": skip.count} for skip in skipped]


def calibration_record(made: Calibration) -> dict[str, object]:
    """A calibration as it is kept."""
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


def calibration_report_record(report: CalibrationReport) -> dict[str, object]:
    """A calibration as it was made: with projections to larger galleries, and impostors that were left out."""
    return calibration_record(report.calibration) | {
        "projections": [{"times": one.times, "far": one.rate, "worst": one.worst} for one in report.projections],
        "left_out": skip_records(report.left_out),
    }


def pair_record(pair: DuplicatePair) -> dict[str, object]:
    """A pair of duplicates."""
    return {
        "a": pair.a,
        "b": pair.b,
        "score": round(pair.score, 6),
        "kind": pair.kind,
        "group": pair.group,
        "via": pair.via,
    }
