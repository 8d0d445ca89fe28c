"""Checks of an ONNX file before it is loaded: external data, operators and tensor sizes, without any library.

The layout is that of protocol buffers (https://protobuf.dev/programming-guides/encoding), the fields are those of
onnx.proto3.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from simsearch.errors import EncoderError

STANDARD = ("", "ai.onnx")
"""The domains of the standard operators."""
DEEPEST = 16
"""Maximum depth of nested graphs; real ones have three or four."""
SIZES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 14: 8, 15: 16, 16: 2}
"""Bytes of an element by data type."""
_GRAPH_OF_MODEL, _FUNCTION_OF_MODEL = 7, 25
_NODE, _INITIALIZER, _SPARSE = 1, 5, 15
_DOMAIN, _ATTRIBUTE = 7, 5
_TENSOR_OF_ATTRIBUTE, _GRAPH_OF_ATTRIBUTE, _TENSORS, _GRAPHS, _SPARSE_ONE, _SPARSE_MORE = 5, 6, 10, 11, 22, 23
_DIMS, _TYPE, _NAME, _RAW, _ELSEWHERE, _PLACE = 1, 2, 8, 9, 13, 14


@dataclass
class _Found:
    """What was found in a file that is not allowed."""

    domains: set[str] = field(default_factory=set)
    external: bool = False
    mismatch: str = ""


def check_contents(model: bytes, name: str) -> None:
    """Raises EncoderError for a model that refers to external data, has non-standard operators, or has tensors whose
    shapes do not match their size in bytes."""
    found = _Found()
    try:
        for number, part in _messages(memoryview(model)):
            if number == _GRAPH_OF_MODEL:
                _graph(part, found, 0)
            elif number == _FUNCTION_OF_MODEL:
                found.domains.add("functions of its own")
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{name}: ONNX Runtime cannot load it: it is not an ONNX file ({error})") from None
    if found.external:
        raise EncoderError(f"{name}: the model refers to external data; export it again as one file")
    if found.mismatch:
        raise EncoderError(f"{name}: {found.mismatch}; the file is damaged or malicious")
    if found.domains:
        domains = ", ".join(map(repr, sorted(found.domains)))
        raise EncoderError(
            f"{name} has non-standard operators ({domains}): export the model again with standard operators only, "
            "before any optimization for a runtime"
        )


def _graph(graph: memoryview, found: _Found, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError(f"nested graphs, more than {DEEPEST} deep")
    for number, part in _messages(graph):
        if number == _NODE:
            _node(part, found, depth)
        elif number == _INITIALIZER:
            _tensor(part, found)
        elif number == _SPARSE:
            _sparse(part, found)


def _node(node: memoryview, found: _Found, depth: int) -> None:
    for number, part in _messages(node):
        if number == _DOMAIN and (domain := bytes(part[:80]).decode(errors="replace")) not in STANDARD:
            found.domains.add(domain)
        elif number == _ATTRIBUTE:
            for inner, value in _messages(part):
                if inner in (_TENSOR_OF_ATTRIBUTE, _TENSORS):
                    _tensor(value, found)
                elif inner in (_GRAPH_OF_ATTRIBUTE, _GRAPHS):
                    _graph(value, found, depth + 1)
                elif inner in (_SPARSE_ONE, _SPARSE_MORE):
                    _sparse(value, found)


def _sparse(tensor: memoryview, found: _Found) -> None:
    for number, part in _messages(tensor):
        if number in (1, 2):
            _tensor(part, found)


def _tensor(tensor: memoryview, found: _Found) -> None:
    dims: list[int] = []
    kind, raw, name = 0, -1, ""
    for number, value in _fields(tensor):
        if number == _DIMS:
            dims += _packed(value) if isinstance(value, memoryview) else [value]
        elif number == _TYPE and isinstance(value, int):
            kind = value
        elif number == _RAW and isinstance(value, memoryview):
            raw = len(value)
        elif number == _NAME and isinstance(value, memoryview):
            name = bytes(value[:80]).decode(errors="replace")
        elif number == _ELSEWHERE or (number == _PLACE and value):
            found.external = True
    wanted = math.prod(dims) * SIZES.get(kind, 0)
    if raw >= 0 and kind in SIZES and raw != wanted:
        found.mismatch = f"the tensor {name!r} has {raw:,} bytes, but its shape needs {wanted:,}"


def _messages(part: memoryview) -> Iterator[tuple[int, memoryview]]:
    return ((number, value) for number, value in _fields(part) if isinstance(value, memoryview))


def _packed(part: memoryview) -> list[int]:
    values, place = [], 0
    while place < len(part):
        value, place = _varint(part, place)
        values.append(value)
    return values


def _fields(part: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The number and the value of each field, an integer or bytes. Raises ValueError for malformed input."""
    place = 0
    while place < len(part):
        key, place = _varint(part, place)
        number, kind = key >> 3, key & 7
        if kind == 0:
            whole, place = _varint(part, place)
            yield number, whole
            continue
        size, place = _varint(part, place) if kind == 2 else ({1: 8, 5: 4}.get(kind, -1), place)
        if size < 0 or size > len(part) - place or number == 0:
            raise ValueError(f"a field of kind {kind} with {size:,} bytes at byte {place:,}")
        yield number, part[place : place + size]
        place += size


def _varint(part: memoryview, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(part) and shift < 70:
        byte = part[place]
        value |= (byte & 0x7F) << shift
        place, shift = place + 1, shift + 7
        if byte < 0x80:
            return value, place
    raise ValueError(f"it ends, or a number in it does not, at byte {place:,}")
