"""What the OpenAPI document says of bodies and answers: schemas and examples."""

from __future__ import annotations

from typing import Any

ERROR: dict[str, Any] = {
    "description": "Refused or failed; every error has this form",
    "content": {
        "application/json": {
            "schema": {"$ref": "#/components/schemas/Error"},
            "example": {"error": {"code": "no_item", "message": "there is no item 7 (any more)"}},
        }
    },
}
COMPONENTS: dict[str, Any] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["code", "message"],
                "properties": {
                    "code": {"type": "string"},
                    "message": {"type": "string"},
                    "field": {"type": "string"},
                },
            }
        },
    },
}
_NULLABLE_TEXT = {"type": ["string", "null"]}
ITEM: dict[str, Any] = {
    "type": "object",
    "required": ["id", "path", "label", "size", "mtime", "metadata", "text", "problem", "thumbnail"],
    "properties": {
        "id": {"type": "integer"},
        "path": {"type": "string"},
        "label": _NULLABLE_TEXT,
        "size": {"type": "integer"},
        "mtime": {"type": "number"},
        "metadata": {"type": "object"},
        "text": _NULLABLE_TEXT,
        "problem": _NULLABLE_TEXT,
        "thumbnail": _NULLABLE_TEXT,
    },
}
ITEM_EXAMPLE = {
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
_MATCH = {
    **ITEM,
    "required": ["rank", "score", "score_kind", *ITEM["required"]],
    "properties": {
        "rank": {"type": "integer"},
        "score": {"type": "number"},
        "score_kind": {"enum": ["images", "words", "texts", "vectors"]},
        **ITEM["properties"],
    },
}


def documented(description: str, schema: dict[str, Any], example: Any) -> dict[str, Any]:
    """An answer in JSON."""
    return {"description": description, "content": {"application/json": {"schema": schema, "example": example}}}


def listed(name: str, schema: dict[str, Any], example: Any, **more: dict[str, Any]) -> dict[str, Any]:
    """An answer that is an object with a list in it."""
    whole = {
        "type": "object",
        "required": [name, *more],
        "properties": {name: {"type": "array", "items": schema}, **more},
    }
    return documented(f"The {name}", whole, {name: [example], **dict.fromkeys(more)})


def answers(success: dict[str, Any], status: int = 200) -> dict[int | str, dict[str, Any]]:
    """The answers of a call: the one that is wanted, and errors."""
    return {status: success, "4XX": ERROR, "5XX": ERROR}


def body(*contents: tuple[str, dict[str, Any], Any], required: bool = True) -> dict[str, Any]:
    """A body in one of several content types, each with an example where there is one."""
    return {
        "required": required,
        "content": {
            kind: {"schema": schema} | ({} if example is None else {"example": example})
            for kind, schema, example in contents
        },
    }


CURSOR = {"type": ["string", "null"]}
OBJECT: dict[str, Any] = {"type": "object"}
MATCHES = documented(
    "The matches, best first",
    {
        "type": "object",
        "required": ["query", "score_kind", "matches", "cursor"],
        "properties": {
            "query": {"type": "string"},
            "score_kind": {"type": "string"},
            "matches": {"type": "array", "items": _MATCH},
            "cursor": CURSOR,
        },
    },
    {
        "query": "item 3",
        "score_kind": "images",
        "matches": [{"rank": 1, "score": 0.93, "score_kind": "images", **ITEM_EXAMPLE}],
        "cursor": None,
    },
)
BINARY = {"type": "string", "format": "binary"}
_FILES = {"type": "object", "properties": {"file": BINARY}}


def source_body(model: str, example: Any, bare: bool = True) -> dict[str, Any]:
    """A body with sources: JSON of a schema of this document, a form, or a bare picture or text."""
    bare_ones = (("image/*", BINARY, None), ("text/plain", {"type": "string", "minLength": 1}, "a red dress"))
    return body(
        ("application/json", {"$ref": f"#/components/schemas/{model}"}, example),
        ("multipart/form-data", _FILES, None),
        *(bare_ones if bare else ()),
    )


SEARCH_BODY = source_body("SearchOptions", {"item": 3, "k": 10})
