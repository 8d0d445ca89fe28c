"""How the OpenAPI document says what a call takes and answers."""

from __future__ import annotations

from typing import Any, TypeAlias

from simsearch.serving.api.schemas import EXAMPLES, MAYBE_TEXT, Schema, many, record, ref

Responses: TypeAlias = dict[int | str, dict[str, Any]]
ERROR: dict[str, Any] = {
    "description": "Refused or failed; every error has this form",
    "content": {
        "application/json": {
            "schema": ref("Error"),
            "example": {"error": {"code": "no_item", "message": "there is no item 7 (any more)"}},
        }
    },
}
BINARY: Schema = {"type": "string", "format": "binary"}
PICTURE: dict[str, Any] = {"description": "The picture", "content": {"image/jpeg": {"schema": BINARY}}}
UNCHANGED: dict[str, Any] = {"description": "The client has it already"}


def answers(success: dict[str, Any], status: int = 200, **more: dict[str, Any]) -> Responses:
    """The answers of a call: the one that is wanted, errors, and `more` by their statuses, as `_304`."""
    others: Responses = {name.strip("_"): answer for name, answer in more.items()}
    return {status: success, **others, "4XX": ERROR, "5XX": ERROR}


def one(name: str, description: str) -> dict[str, Any]:
    """An answer in JSON of a schema of the document."""
    return _json(description, ref(name), EXAMPLES.get(name))


def listed(field: str, name: str, description: str, *, paged: bool = False) -> dict[str, Any]:
    """An answer that has a list in a field, and the cursor of the next page where there are several."""
    cursor = {"cursor": MAYBE_TEXT} if paged else {}
    example = {field: [EXAMPLES[name]], **dict.fromkeys(cursor)}
    return _json(description, record(**{field: many(ref(name))}, **cursor), example)


def counted(description: str, **example: object) -> dict[str, Any]:
    """An answer of a few counts and names."""
    kinds = {bool: "boolean", int: "integer", str: "string"}
    return _json(
        description, record(**{name: {"type": kinds[type(value)]} for name, value in example.items()}), example
    )


def _json(description: str, schema: Schema, example: Any) -> dict[str, Any]:
    content = {"schema": schema} | ({} if example is None else {"example": example})
    return {"description": description, "content": {"application/json": content}}


def source_body(model: str, example: Any, *, bare: bool = True) -> dict[str, Any]:
    """A body with sources: JSON of a schema of this document, a form, or a bare picture or text."""
    fields: Schema = {"type": "object", "properties": {"files": many(BINARY)}, "required": ["files"]}
    contents: dict[str, Any] = {
        "application/json": {"schema": ref(model), "example": example},
        "multipart/form-data": {"schema": fields},
    }
    if bare:
        contents["image/*"] = {"schema": BINARY}
        contents["text/plain"] = {"schema": {"type": "string", "minLength": 1}, "example": "a red dress"}
    return {"requestBody": {"required": True, "content": contents}}


ANSWERS = _json(
    "An answer to each, in order",
    record(answers=many({"anyOf": [ref("Recognition"), ref("Unanswered")]})),
    {"answers": [EXAMPLES["Recognition"]]},
)
MAP = one("Map", "The map; with format=binary packed in 24 bytes an item")
MAP["content"]["application/octet-stream"] = {"schema": BINARY}
