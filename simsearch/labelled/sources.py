"""The sources that the cells of a table hold: paths of images, paths of text files, or texts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import PurePath

from simsearch.errors import MediaError, TrainingError
from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Modality
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.texts import TEXT_SUFFIXES, decode_text, read_text_bytes
from simsearch.types import Skip

_PATH_NAMES = ("path1", "path2", "image1", "image2")
_TEXT_NAMES = ("s1", "s2", "q1", "q2", "text1", "text2", "sentence1", "sentence2", "question1", "question2")


class Sources:
    """The distinct sources in the cells of a table, in the order of first occurrence.

    The first cell determines what all are: the role path, and columns named path1 or image1, hold paths; the role
    text, and columns named s1, q1 and the like, hold texts; others (left, anchor) hold paths if the first cell has the
    suffix of an image, or names an existing text file. Paths are relative to the folder of the table.
    """

    def __init__(self, roles: Roles, modality: Modality | None) -> None:
        self._table = roles.table
        self._roles = roles
        self._requested = modality
        self._position: dict[str, int | None] = {}
        self._texts: list[str] = []
        self._content: tuple[Modality, bool] | None = None
        self.skipped: list[Skip] = []

    @property
    def all(self) -> tuple[str, ...]:
        return tuple(self._texts)

    @property
    def modality(self) -> Modality:
        return self._content[0] if self._content else self._requested or "image"

    def positions(self, values: Sequence[str], roles: Sequence[str]) -> list[int] | None:
        """Positions of a row's sources; None if one is an unreadable text file, which is skipped."""
        found = [self._of(value, role) for value, role in zip(values, roles, strict=True)]
        known = [position for position in found if position is not None]
        return known if len(known) == len(found) else None

    def append(self, value: str, role: str) -> bool:
        """Adds a row's source even if it repeats one; False if it is an unreadable text file."""
        source = self._source(value, role)
        if source is None:
            return False
        self._texts.append(source)
        return True

    def _of(self, value: str, role: str) -> int | None:
        if value not in self._position:
            source = self._source(value, role)
            if source is None:
                self._position[value] = None
            else:
                self._position[value] = len(self._texts)
                self._texts.append(source)
        return self._position[value]

    def _source(self, value: str, role: str) -> str | None:
        if self._content is None:
            self._content = self._content_of(value, role)
        modality, is_path = self._content
        if not is_path:
            return value
        path = self._path(value)
        if modality == "image":
            return path
        try:
            return decode_text(read_text_bytes(path), self._table.encoding)
        except MediaError as error:
            self.skipped.append(Skip(path, str(error)))
            return None

    def _path(self, value: str) -> str:
        return str(self._table.file.parent / value)

    def _content_of(self, value: str, role: str) -> tuple[Modality, bool]:
        """The modality, and whether cells are paths."""
        column = self._roles.names[role]
        suffix = PurePath(value).suffix.lower()
        if role == "text" or column.lower() in _TEXT_NAMES:
            if self._requested == "image":
                raise TrainingError(
                    f"{self._table.file}: column {column!r} holds texts, not images; rename it 'path' or 'path1'"
                )
            return "text", False
        if role == "path" or column.lower() in _PATH_NAMES:
            return self._requested or ("text" if suffix in TEXT_SUFFIXES else "image"), True
        if self._requested == "image" or (self._requested is None and suffix in IMAGE_SUFFIXES):
            return "image", True
        return "text", suffix in TEXT_SUFFIXES and os.path.isfile(self._path(value))  # noqa: PTH113
