"""A JSON object read member by member, so that a list of a million entries is never one string or one tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn, TextIO

from simsearch.errors import PlanError

_CHUNK = 1 << 16


class JsonStream:
    """The members of the JSON object that a text stream holds. Raises PlanError with the line of the mistake."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._buffer, self._at, self._line, self._ended = stream, "", 0, 1, False
        self._decoder = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)

    def members(self) -> Iterator[str]:
        """The key of each member; its value (or its elements) must be taken before the next key."""
        self._expect("{")
        seen: set[str] = set()
        while self._peek() != "}" or seen:
            key = self.value()
            if not isinstance(key, str):
                self._fail("a key must be a string")
            if key in seen:
                self._fail(f"the key {key!r} appears twice")
            seen.add(key)
            self._expect(":")
            yield key
            if self._peek() != ",":
                break
            self._at += 1
        self._expect("}")
        if self._peek():
            self._fail("there is something after the end")

    def elements(self) -> Iterator[Any]:
        """The elements of a list, one after the other."""
        self._expect("[")
        if self._peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._peek() != ",":
                break
            self._at += 1
        self._expect("]")

    def value(self) -> Any:
        """The next value as a whole."""
        chunk = _CHUNK
        while True:
            self._peek()
            try:
                value, end = self._decoder.raw_decode(self._buffer, self._at)
            except json.JSONDecodeError as error:
                if not self._fill(chunk):
                    self._fail(error.msg.lower(), error.pos)
            except (ValueError, RecursionError) as error:
                self._fail(str(error))
            else:
                # A number at the end of what is read may go on.
                if end < len(self._buffer) or not self._fill(chunk):
                    self._at = end
                    return value
            chunk *= 2

    def _peek(self) -> str:
        """The next character that is no space, or nothing at the end."""
        while True:
            while self._at < len(self._buffer) and self._buffer[self._at] in " \t\r\n":
                self._at += 1
            if self._at < len(self._buffer):
                return self._buffer[self._at]
            if not self._fill(_CHUNK):
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            self._fail(
                f"{character!r} expected, {found!r} found" if found else f"it ends where {character!r} should be"
            )
        self._at += 1

    def _fill(self, count: int) -> bool:
        """Reads on, forgetting what was taken; False at the end."""
        if self._ended:
            return False
        more = self._stream.read(count)
        self._line += self._buffer.count("\n", 0, self._at)
        self._buffer, self._at, self._ended = self._buffer[self._at :] + more, 0, not more
        return bool(more)

    def _fail(self, reason: str, position: int | None = None) -> NoReturn:
        line = self._line + self._buffer.count("\n", 0, self._at if position is None else position)
        raise PlanError(f"line {line}: {reason}")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(key for number, (key, _) in enumerate(pairs) if key in dict(pairs[:number]))
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return members


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")
