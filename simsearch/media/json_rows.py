"""JSON Lines, with an object in each line, and JSON files with an array of objects."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from simsearch.errors import MediaError
from simsearch.media.encodings import decoded
from simsearch.media.rows import BadRow, Row, RowError, printable

if TYPE_CHECKING:
    from simsearch.media.lines import Lines
    from simsearch.types import JSONValue

MAX_ARRAY = 64 * 2**20
"""Bytes of the largest file with an array, which is held in memory."""
_SPACE = re.compile(r"[ \t\r\n]*")


def json_lines(lines: Lines) -> Iterator[Row | BadRow]:
    """A row for each line that is not blank; its number is that of the line."""
    decoder = _Decoder()
    while True:
        try:
            content = next(lines, None)
            if content is None:
                return
            if not content.strip():
                continue
            row: Row | BadRow = Row(lines.number, lines.number, _object(decoder, content))
        except RowError as error:
            row = BadRow(lines.number, printable(str(error)))
        yield row


def _object(decoder: _Decoder, content: str) -> dict[str, JSONValue]:
    try:
        value = decoder.decode(content.strip())
    except json.JSONDecodeError as error:
        raise RowError(f"not JSON ({error.msg} in column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise RowError(f"not JSON ({error})") from error
    return decoder.checked(value, content)


def json_array(content: bytes, encoding: str | None) -> Iterator[Row | BadRow]:
    """A row for each object of the array that a file holds, numbered from 1.

    Anything but an object is a BadRow; if the file is not JSON, MediaError is raised after the rows before.
    """
    text, decoder = decoded(content, encoding), _Decoder()
    if "\n" not in text:
        # No text in JSON holds a CR as it is.
        text = text.replace("\r", "\n")
    place = _after_space(text, 0)
    if text[place : place + 1] != "[":
        raise MediaError(
            "no array of objects, as [{...}, {...}]; a file with an object in each line must be named .jsonl"
        )
    line, counted, number = 1, 0, 0
    place = _after_space(text, place + 1)
    ended = text[place : place + 1] == "]"
    while not ended:
        line, counted, number = line + text.count("\n", counted, place), place, number + 1
        row, place = _element(decoder, text, place, line, number)
        yield row
        place = _after_space(text, place)
        sign = text[place : place + 1]
        if sign not in (",", "]"):
            where = line + text.count("\n", counted, place)
            raise MediaError(f"line {where:,}: not JSON (a comma or the end of the array is missing)")
        ended = sign == "]"
        place = place if ended else _after_space(text, place + 1)
    if text[place + 1 :].strip():
        raise MediaError("not JSON (more text after the array)")


def _element(decoder: _Decoder, text: str, place: int, line: int, number: int) -> tuple[Row | BadRow, int]:
    try:
        value, end = decoder.raw_decode(text, place)
    except json.JSONDecodeError as error:
        raise MediaError(f"line {error.lineno:,}: not JSON ({error.msg} in column {error.colno})") from error
    except (ValueError, RecursionError) as error:
        raise MediaError(f"line {line:,}: not JSON ({error})") from error
    try:
        return Row(line, number, decoder.checked(value, text[place:end])), end
    except RowError as error:
        return BadRow(line, printable(str(error))), end


def _after_space(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


class _Decoder(json.JSONDecoder):
    """Detects constants that Python reads but JSON lacks: NaN, Infinity, numbers that overflow a float."""

    def __init__(self) -> None:
        super().__init__(parse_constant=self._note, parse_float=self._float)
        self._strange: str | None = None

    def raw_decode(self, s: str, idx: int = 0) -> tuple[JSONValue, int]:
        self._strange = None
        return super().raw_decode(s, idx)

    def _note(self, name: str) -> None:
        self._strange = name

    def _float(self, word: str) -> float:
        value = float(word)
        if value in (float("inf"), float("-inf")):
            self._strange = word
        return value

    def checked(self, value: JSONValue, content: str) -> dict[str, JSONValue]:
        """The value, if it is an object of sound texts and numbers. Raises RowError."""
        if not isinstance(value, dict):
            raise RowError(f"not a JSON object but {content.strip()[:40]}")
        if self._strange is not None:
            raise RowError(f"not JSON ({self._strange[:40]} is not a number in JSON)")
        if "\\u" in content:
            _check_texts(value)
        return value


def _check_texts(value: JSONValue) -> None:
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            waiting += [*part, *part.values()]
        elif isinstance(part, list):
            waiting += part
        elif isinstance(part, str):
            if "\0" in part:
                raise RowError("a NUL character in a text")
            if any("\ud800" <= letter <= "\udfff" for letter in part):
                raise RowError("half of a character (a lone surrogate) in a text")
