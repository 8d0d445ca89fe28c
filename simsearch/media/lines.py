"""The lines of a text file, decoded and read as a stream."""

from __future__ import annotations

import codecs
import re
from collections import deque
from collections.abc import Generator
from typing import BinaryIO

from simsearch.errors import MediaError
from simsearch.media.encodings import NAME, NUL, detected, shown_encoding
from simsearch.media.files import opened
from simsearch.media.rows import BadRow, RowError, printable

CHUNK = 2**16
MAX_LINE = 4 * 2**20
"""Characters of the longest line: a file without line ends must not fill the memory."""
_QUOTED = re.compile(r'"[^"]*(?:"|$)')


class Lines:
    """The lines of a stream, each with its end: LF, CR LF, or CR where the stream begins without any LF.

    The encoding is that of the byte order mark, else `encoding`, else UTF-8. With `quoted` the ends within quotation
    marks do not say what ends a line. A line that is too long, cannot be decoded or has a NUL character raises
    RowError, and the next one can be read; MediaError ends the iteration.
    """

    def __init__(self, stream: BinaryIO, encoding: str | None, *, quoted: bool = False) -> None:
        head = stream.read(CHUNK)
        self._stream = stream
        self.encoding, mark = detected(head, encoding)
        # Undecodable bytes, and halves of characters, become surrogates, so that their line alone is refused.
        errors = "surrogatepass" if self.encoding.lower().startswith(("utf-16", "utf-32")) else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(self.encoding)(errors)
        self._ready: deque[str] = deque()
        self._rest = ""
        self._ended = False
        self.number = 0
        """The number of the line that was read last, from 1."""
        first = self._decoded(head[mark:], last=not head)
        self._end = _line_end(first, quoted=quoted)
        self._take(first)
        self._ended = not head

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        while not (self._ready or self._ended):
            chunk = self._stream.read(CHUNK)
            self._take(self._decoded(chunk, last=not chunk))
            self._ended = not chunk
        if self._ready:
            line = self._ready.popleft()
        elif self._rest:
            line, self._rest = self._rest, ""
        else:
            raise StopIteration
        self.number += 1
        return self._checked(line)

    def _decoded(self, chunk: bytes, *, last: bool) -> str:
        try:
            return self._decoder.decode(chunk, last)
        except UnicodeError as error:
            reason = error.reason if isinstance(error, UnicodeDecodeError) else error
            raise MediaError(
                f"after line {self.number:,}: not {shown_encoding(self.encoding)} ({reason}); {NAME}"
            ) from error

    def _take(self, text: str) -> None:
        if len(self._rest) > MAX_LINE and self._end not in text:
            return
        *whole, rest = (self._rest + text).split(self._end)
        self._ready.extend(line + self._end for line in whole)
        self._rest = rest[: MAX_LINE + 1]

    def _checked(self, line: str) -> str:
        if len(line.rstrip("\r\n")) > MAX_LINE:
            raise RowError(f"a line of over {MAX_LINE:,} characters; is this a text file?")
        if "\0" in line:
            raise RowError(NUL)
        if not line.isascii():
            try:
                line.encode()
            except UnicodeEncodeError as error:
                letter = ord(line[error.start])
                what = f"byte {letter - 0xDC00:#04x}" if 0xDC80 <= letter <= 0xDCFF else "half of a character"
                raise RowError(
                    f"not {shown_encoding(self.encoding)} ({what} at {error.start + 1:,}); {NAME}"
                ) from error
        return line


def _line_end(head: str, *, quoted: bool) -> str:
    if quoted:
        head = _QUOTED.sub("", head)
    # The LF of a last CR may be yet to come.
    return "\r" if "\r" in head[:-1] and "\n" not in head else "\n"


def read_lines(path: str, encoding: str | None = None) -> Generator[tuple[int, str] | BadRow, None, None]:
    """The numbered lines of a file without their ends, blank ones too; what is wrong with one comes as a BadRow.

    Raises MediaError with the reason alone for what is wrong with the whole file, also after some lines were given.
    """
    with opened(path) as stream:
        lines = Lines(stream, encoding)
        while True:
            try:
                line = next(lines, None)
            except RowError as error:
                yield BadRow(lines.number, printable(str(error)))
                continue
            if line is None:
                return
            yield lines.number, line.rstrip("\r\n")
