"""The schemas of answers in the OpenAPI document, each with an example."""

from __future__ import annotations

from typing import Any, TypeAlias

Schema: TypeAlias = dict[str, Any]
TEXT: Schema = {"type": "string"}
MAYBE_TEXT: Schema = {"type": ["string", "null"]}
NUMBER: Schema = {"type": "number"}
MAYBE_NUMBER: Schema = {"type": ["number", "null"]}
WHOLE: Schema = {"type": "integer"}
MAYBE_WHOLE: Schema = {"type": ["integer", "null"]}
FLAG: Schema = {"type": "boolean"}
ANY_OBJECT: Schema = {"type": "object"}


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def maybe(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    return {"type": "array", "items": schema}


def table(values: Schema) -> Schema:
    """An object with any keys, whose values are of one kind."""
    return {"type": "object", "additionalProperties": values}


def record(**fields: Schema) -> Schema:
    """An object that has all these fields."""
    return {"type": "object", "required": list(fields), "properties": fields}


_ITEM = {
    "id": WHOLE,
    "path": TEXT,
    "label": MAYBE_TEXT,
    "size": WHOLE,
    "mtime": NUMBER,
    "metadata": ANY_OBJECT,
    "text": MAYBE_TEXT,
    "problem": MAYBE_TEXT,
    "thumbnail": MAYBE_TEXT,
}
_FINDING = record(
    label=TEXT,
    path=TEXT,
    kind={"enum": ["equal", "closer", "outlier"]},
    other=MAYBE_TEXT,
    score=MAYBE_NUMBER,
    bound=MAYBE_NUMBER,
    reason=TEXT,
)
_SKIPPED = record(path=TEXT, reason=TEXT, count=WHOLE)
_CALIBRATION = record(
    threshold=NUMBER,
    far=NUMBER,
    confidence=MAYBE_NUMBER,
    guaranteed=FLAG,
    impostors=WHOLE,
    exceeding=WHOLE,
    identities=WHOLE,
    examples=WHOLE,
    unknown_prior=NUMBER,
    probability=maybe(record(kind=TEXT, log_loss=MAYBE_NUMBER)),
)
_POINT = record(threshold=NUMBER, impostors_let_in=WHOLE, known_lost=WHOLE, promised=NUMBER)
_FILE = record(
    file=WHOLE,
    path=TEXT,
    action={"enum": ["keep", "remove", "leave"]},
    reason=TEXT,
    kind=MAYBE_TEXT,
    score=MAYBE_NUMBER,
    transformation=maybe(many(many(NUMBER))),
    overlap=maybe(many(NUMBER)),
    bytes=WHOLE,
    width=MAYBE_WHOLE,
    height=MAYBE_WHOLE,
    companions=many(record(path=TEXT, role=TEXT)),
    item=maybe(ref("Item")),
)
SCHEMAS: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {"code": TEXT, "message": TEXT, "field": TEXT},
            }
        },
    },
    "Health": record(status=TEXT, version=TEXT),
    "Session": record(csrf=MAYBE_TEXT, read_only=FLAG),
    "Collection": record(
        name=TEXT,
        folder=TEXT,
        items=WHOLE,
        contents=WHOLE,
        modality={"enum": ["image", "text", "vector"]},
        encoder=TEXT,
        fingerprint=TEXT,
        dim=WHOLE,
        takes_words=FLAG,
        labels=table(WHOLE),
        roots=many(TEXT),
        problems=WHOLE,
        generation=WHOLE,
        bytes_on_disk=WHOLE,
        index=record(kind=TEXT, reason=TEXT),
        recall=maybe(record(recall=NUMBER, low=NUMBER, high=NUMBER, queries=WHOLE, k=WHOLE)),
        read_only=FLAG,
    ),
    "Item": record(**_ITEM),
    "Match": record(
        rank=WHOLE,
        score=NUMBER,
        score_kind={"enum": ["images", "words", "texts", "vectors", "mix"]},
        **_ITEM,
        copies=WHOLE,
    ),
    "Matches": record(query=TEXT, score_kind=TEXT, matches=many(ref("Match")), cursor=MAYBE_TEXT, remarks=many(TEXT)),
    "Facets": record(
        labels=many(record(label=TEXT, items=WHOLE)), folders=many(record(folder=TEXT, items=WHOLE)), keys=many(TEXT)
    ),
    "Example": record(id=WHOLE, path=TEXT, text=MAYBE_TEXT, added=MAYBE_TEXT),
    "Identity": record(label=TEXT, examples=many(ref("Example"))),
    "Enrolled": record(
        label=TEXT,
        examples=WHOLE,
        added=WHOLE,
        existing=WHOLE,
        skipped=WHOLE,
        skipped_files=many(_SKIPPED),
        findings=many(_FINDING),
    ),
    "Recognition": record(
        query=TEXT,
        label=MAYBE_TEXT,
        probability=MAYBE_NUMBER,
        impostor_p_value=MAYBE_NUMBER,
        score=NUMBER,
        threshold=MAYBE_NUMBER,
        stale=FLAG,
        runner_up=maybe(record(label=TEXT, score=NUMBER)),
        evidence=many(record(id=WHOLE, label=TEXT, path=TEXT, score=NUMBER, text=MAYBE_TEXT)),
    ),
    "Unanswered": record(query=TEXT, error=TEXT),
    "Comparison": record(a=TEXT, b=TEXT, same=FLAG, probability=MAYBE_NUMBER, score=NUMBER, threshold=NUMBER),
    "Calibration": record(
        calibration=maybe(_CALIBRATION),
        stale=MAYBE_TEXT,
        curve=record(impostors=WHOLE, known=WHOLE, points=many(_POINT), confidence=NUMBER),
    ),
    "Groups": record(
        plan=TEXT,
        current=FLAG,
        groups=many(
            record(
                group=WHOLE,
                split=FLAG,
                files=many(_FILE),
                takes_over=many(record(source=TEXT, what=TEXT, key=MAYBE_TEXT)),
            )
        ),
        totals=record(groups=WHOLE, files=WHOLE, bytes=WHOLE),
        cursor=MAYBE_TEXT,
    ),
    "Plan": record(plan=TEXT, groups=WHOLE, files=WHOLE, bytes=WHOLE),
    "Job": record(
        id=TEXT,
        kind=TEXT,
        collection=TEXT,
        asked=ANY_OBJECT,
        state={"enum": ["waiting", "running", "done", "failed", "cancelled", "interrupted"]},
        created=NUMBER,
        started=MAYBE_NUMBER,
        ended=MAYBE_NUMBER,
        progress=record(description=MAYBE_TEXT, unit=MAYBE_TEXT, done=WHOLE, total=MAYBE_WHOLE, note=MAYBE_TEXT),
        error=MAYBE_TEXT,
        kept=MAYBE_TEXT,
        result=maybe(ANY_OBJECT),
    ),
    "Map": record(
        generation=WHOLE,
        labels=many(TEXT),
        ids=many(WHOLE),
        x=many(NUMBER),
        y=many(NUMBER),
        label=many(WHOLE),
        outlier=many(NUMBER),
    ),
}
_ITEM_EXAMPLE = {
    "id": 7,
    "path": "/photos/cat.jpg",
    "label": "cat",
    "size": 48213,
    "mtime": 1764403200.0,
    "metadata": {},
    "text": None,
    "problem": None,
    "thumbnail": "/api/v1/items/7/thumbnail?collection=photos",
}
_EXAMPLE = {"id": 1, "path": "/photos/ana.jpg", "text": None, "added": "2026-01-31T12:00:00+01:00"}
_EVIDENCE = {"id": 1, "label": "Ana", "path": "/photos/ana.jpg", "score": 0.81, "text": None}
EXAMPLES: dict[str, Any] = {
    "Health": {"status": "ok", "version": "1.0"},
    "Session": {"csrf": None, "read_only": False},
    "Collection": {
        "name": "photos",
        "folder": "/home/ana/indexes/photos",
        "items": 4000,
        "contents": 3990,
        "modality": "image",
        "encoder": "photo",
        "fingerprint": "e7a38ba2ca56e372",
        "dim": 256,
        "takes_words": True,
        "labels": {"Ana": 3},
        "roots": ["/photos"],
        "problems": 0,
        "generation": 12,
        "bytes_on_disk": 9_000_000,
        "index": {"kind": "flat", "reason": "few vectors"},
        "recall": None,
        "read_only": False,
    },
    "Item": _ITEM_EXAMPLE,
    "Matches": {
        "query": "item 3",
        "score_kind": "images",
        "matches": [{"rank": 1, "score": 0.93, "score_kind": "images", **_ITEM_EXAMPLE, "copies": 0}],
        "cursor": None,
        "remarks": [],
    },
    "Facets": {
        "labels": [{"label": "cat", "items": 12}],
        "folders": [{"folder": "/photos", "items": 4000}],
        "keys": ["price"],
    },
    "Identity": {"label": "Ana", "examples": [_EXAMPLE]},
    "Enrolled": {
        "label": "Ana",
        "examples": 3,
        "added": 1,
        "existing": 2,
        "skipped": 0,
        "skipped_files": [],
        "findings": [],
    },
    "Recognition": {
        "query": "who.jpg",
        "label": "Ana",
        "probability": 0.97,
        "impostor_p_value": 0.002,
        "score": 0.81,
        "threshold": 0.62,
        "stale": False,
        "runner_up": {"label": "Bela", "score": 0.33},
        "evidence": [_EVIDENCE],
    },
    "Comparison": {"a": "a.png", "b": "b.png", "same": True, "probability": 0.98, "score": 0.91, "threshold": 0.6},
    "Calibration": {
        "calibration": None,
        "stale": None,
        "curve": {"impostors": 0, "known": 0, "points": [], "confidence": 0.95},
    },
    "Plan": {"plan": "01764403200000000000-1a2b3c4d", "groups": 3, "files": 4, "bytes": 1_200_000},
    "Job": {
        "id": "01764403200000000000-1a2b3c4d",
        "kind": "index",
        "collection": "photos",
        "asked": {"kind": "index"},
        "state": "running",
        "created": 1764403200.0,
        "started": 1764403200.5,
        "ended": None,
        "progress": {"description": "indexing", "unit": "files", "done": 120, "total": 4000, "note": None},
        "error": None,
        "kept": None,
        "result": None,
    },
}
