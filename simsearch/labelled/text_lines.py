"""Lines of text files, a text each; what stands between blank lines is a document."""

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
    """The lines of a file that are not blank, stripped; of each the number of its document, and its own number."""

    texts: list[str]
    documents: NDArray[np.int64]
    numbers: NDArray[np.int64]
    bad: BadRows


def text_lines(path: str, encoding: str | None) -> TextLines:
    """The texts of a file line by line. Raises MediaError with the reason alone for what is wrong with all of it."""
    texts, documents, numbers, document, ended = [], array("q"), array("q"), -1, True
    bad = BadRows(path, LISTED)
    for line in read_lines(path, encoding):
        # Lines on both sides of a bad one are no neighbors.
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
    """Each line of a file that is not blank, about which nothing is known."""
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
        "text", "unlabelled", tuple(found.texts), documents=found.documents if found.documents[-1] else None,
        lines=found.numbers, skipped=skipped,
    )  # fmt: skip


def are_lines(file: Path, kind: Kind | None, encoding: str | None = None) -> bool:
    """Whether a .txt file is a text a line; a tab in its first line makes it a table, unless it is unlabelled."""
    if kind == "unlabelled":
        return True
    try:
        with closing(read_lines(str(file), encoding)) as lines:
            first = next(lines, None)
    except MediaError as error:
        raise TrainingError(f"{file}: {error}") from error
    return first is None or isinstance(first, BadRow) or "\t" not in first[1]
