"""The encoding of a text file: that of its byte order mark, else the given one, else UTF-8."""

from __future__ import annotations

import codecs

from simsearch.errors import MediaError, UsageError

UTF8 = "utf-8"
# That of UTF-32 (little endian) begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, UTF8),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
NAME = "save it as UTF-8, or give its encoding (--encoding; for train --set encoding=NAME)"
NUL = f"a NUL character; if it is a text, {NAME}"


def check_encoding(name: str | None) -> None:
    """Raises UsageError for a name that is not a text encoding of Python; None is accepted."""
    if name is None:
        return
    try:
        "".encode(name)
    except (LookupError, ValueError) as error:
        raise UsageError(
            f"no encoding {name!r}; for instance utf-8, utf-16, cp1252, latin-1, shift-jis or gb18030"
        ) from error


def detected(head: bytes, named: str | None) -> tuple[str, int]:
    """The encoding of a file that begins with `head`, and the length of its byte order mark."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return codecs.lookup(named).name if named else UTF8, 0


def shown_encoding(encoding: str) -> str:
    """As "UTF-8"."""
    return encoding.upper()


def decoded(content: bytes, named: str | None = None) -> str:
    """The text of a whole file without its byte order mark, otherwise unchanged. Raises MediaError with the reason."""
    encoding, mark = detected(content, named)
    try:
        text = content[mark:].decode(encoding)
    except UnicodeDecodeError as error:
        at = mark + error.start
        raise MediaError(f"not {shown_encoding(encoding)} (byte {content[at]:#04x} at {at:,}); {NAME}") from error
    except UnicodeError as error:
        raise MediaError(f"not {shown_encoding(encoding)} ({error}); {NAME}") from error
    if "\0" in text:
        raise MediaError(NUL)
    return text
