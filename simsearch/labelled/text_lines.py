"""Lines of text files, each a text; the lines between blank lines are a document."""

from __future__ import annotations

from array import array
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from simsearch.errors import MediaError, TrainingError
from simsearch.labelled.material import Kind, Labelled, left_out
from simsearch.labelled.tables import LISTED, refuse
from simsearch.media.lines import read_lines
from simsearch.media.rows import BadRow, BadRows

if TYPE_CHECKING:
    from numpy.typing import NDArray


class TextLines(NamedTuple):
    """The stripped lines of a file that are not blank, with the number of the document and of the line of each."""

    texts: list[str]
    documents: NDArray[np.int64]
    numbers: NDArray[np.int64]
    bad: BadRows


def text_lines(path: str, encoding: str | None) -> TextLines:
    """The texts of a file line by line. Raises MediaError if it cannot be read at all."""
    texts, documents, numbers, document, ended = [], array("q"), array("q"), -1, True
    bad = BadRows(path, LISTED)
    for line in read_lines(path, encoding):
        # Lines before and after a bad one are not adjacent.
        text = "" if isinstance(line, BadRow) else line[1].strip()
        if isinstance(line, BadRow):
            bad.add(line)
        elif text:
            document += ended
            texts.append(text)
            documents.append(document)
            numbers.append(line[0])
        ended = not text
    return TextLines(texts, np.array(documents, dtype=np.int64), np.array(numbers, dtype=np.int64), bad)


def read_text_lines(file: Path, encoding: str | None, *, strict: bool) -> Labelled:
    """The lines of a file that are not blank, as unlabelled texts."""
    try:
        found = text_lines(str(file), encoding)
    except MediaError as error:
        raise TrainingError(f"{file}: {error}") from error
    if strict:
        refuse(found.bad)
    skipped = tuple(found.bad.listed())
    if len(found.texts) < 2:
        raise TrainingError(f"{file}: {len(found.texts)} sources, at least 2 are needed{left_out(skipped)}")
    return Labelled(
        "text",
        "unlabelled",
        tuple(found.texts),
        documents=found.documents if found.documents[-1] else None,
        lines=found.numbers,
        skipped=skipped,
    )


def are_lines(file: Path, kind: Kind | None, encoding: str | None = None) -> bool:
    """Whether a .txt file has a text in each line; a tab in the first makes it a table, unless it is unlabelled."""
    if kind == "unlabelled":
        return True
    try:
        with closing(read_lines(str(file), encoding)) as lines:
            first = next(lines, None)
    except MediaError as error:
        raise TrainingError(f"{file}: {error}") from error
    return first is None or isinstance(first, BadRow) or "\t" not in first[1]
