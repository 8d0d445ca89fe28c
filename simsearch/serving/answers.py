"""Answers: JSON that holds any file name, and the one form that all errors have."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from simsearch.errors import (
    CollectionNotFoundError,
    DamagedError,
    DiskFullError,
    EncoderError,
    EncoderMismatchError,
    LockedError,
    MediaError,
    MissingExtraError,
    PlanError,
    SimsearchError,
    StoreError,
    UsageError,
    VectorError,
)

KINDS: tuple[tuple[type[SimsearchError], int, str], ...] = (
    (UsageError, 400, "usage"),
    (MediaError, 400, "unreadable"),
    (VectorError, 400, "vector"),
    (MissingExtraError, 501, "missing_extra"),
    (CollectionNotFoundError, 404, "no_collection"),
    (LockedError, 409, "locked"),
    (DiskFullError, 507, "disk_full"),
    (PlanError, 409, "plan"),
    (EncoderMismatchError, 409, "encoder"),
    (EncoderError, 500, "encoder"),
    (DamagedError, 500, "damaged"),
    (StoreError, 500, "store"),
)
"""Status and code of each error; the first that fits counts."""


class ApiError(Exception):
    """A request that is refused, with its status; `field` names what is wrong in it."""

    def __init__(
        self, status: int, code: str, message: str, field: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.field, self.headers = status, code, field, dict(headers or {})


class Json(Response):
    """A JSON answer, characters outside ASCII escaped: a file name may hold what is no character.

    A number that is not finite, which JSON has no word for, is null.
    """

    media_type = "application/json"

    def render(self, content: Any) -> bytes:
        try:
            return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")
        except ValueError:
            return json.dumps(_finite(content), allow_nan=False, separators=(",", ":")).encode("ascii")


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def error_body(code: str, message: str, field: str | None = None) -> dict[str, Any]:
    """The form of every error."""
    return {"error": {"code": code, "message": message} | ({} if field is None else {"field": field})}


def refusal(error: ApiError) -> Json:
    return Json(error_body(error.code, str(error), error.field), error.status, error.headers)


def as_api_error(error: SimsearchError) -> ApiError:
    """The status and code of an error of ours, its notes below the message."""
    status, code = next(((s, c) for kind, s, c in KINDS if isinstance(error, kind)), (500, "failed"))
    return ApiError(status, code, "\n".join([str(error), *getattr(error, "__notes__", ())]))
