"""Folders of images or of text files: class folders, or files without labels."""

from __future__ import annotations

import os
from array import array
from dataclasses import replace
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import MediaError, TrainingError
from simsearch.labelled.material import Kind, Labelled, Modality, left_out, sorted_classes
from simsearch.labelled.tables import refuse
from simsearch.labelled.text_lines import text_lines
from simsearch.media.folders.filters import FileFilter, LeftOut, as_skips
from simsearch.media.folders.kinds import texts_that_count
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.rows import NO_TEXT
from simsearch.media.scan import EVERYTHING, scan
from simsearch.media.texts import TEXT_SUFFIXES, decode_text, read_text_bytes
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_folder(
    root: Path,
    *,
    modality: Modality | None,
    kind: Kind,
    by_line: bool,
    encoding: str | None,
    strict: bool,
    chosen: FileFilter = EVERYTHING,
) -> Labelled:
    """The files under `root`: images, or the texts of .txt and .md files if there are more of these.

    Kind "classes": the class of a file is the folder that holds it, relative to `root`. `root/red/1.png` has class
    `red`; `root/Greek/alpha/1.png` has class `Greek/alpha` and group `Greek`. Files directly in `root` belong to no
    class and are skipped. Kind "unlabelled": every file. With `by_line` each line of a text file is a source, and
    without labels each file, and each block of lines between blank lines, is a document; unreadable lines are skipped,
    or rejected if `strict`.
    """
    found, skipped = _files(root, modality, chosen)
    texts = len(texts_that_count(found["image"], found["text"]))
    modality = modality or ("image" if len(found["image"]) >= texts else "text")
    kinds = {"image": "an image", "text": "a text"}
    other: Modality = "text" if modality == "image" else "image"
    skipped += [Skip(path, f"not {kinds[modality]} ({PurePath(path).suffix.lower()})") for path in found[other]]
    sources = _FolderSources(modality, by_line, encoding, strict, skipped)
    if kind == "classes":
        return _of_classes(root, sources, found[modality])
    return _unlabelled(root, sources, found[modality])


def _files(root: Path, modality: Modality | None, chosen: FileFilter) -> tuple[dict[str, list[str]], list[Skip]]:
    found: dict[str, list[str]] = {"image": [], "text": []}
    skipped, left_out = [], []
    for entry in scan(root, IMAGE_SUFFIXES | TEXT_SUFFIXES, "image", chosen):
        if isinstance(entry, LeftOut):
            left_out.append(entry)
        elif isinstance(entry, Skip):
            reason = entry.reason.replace("not an image", "not a text") if modality == "text" else entry.reason
            skipped.append(Skip(entry.path, reason))
        else:
            is_text = PurePath(entry.path).suffix.lower() in TEXT_SUFFIXES
            found["text" if is_text else "image"].append(entry.path)
    return found, skipped + as_skips(left_out)


class _FolderSources:
    """The sources in files: paths of images, contents of text files; unreadable ones are skipped."""

    def __init__(
        self, modality: Modality, by_line: bool, encoding: str | None, strict: bool, skipped: list[Skip]
    ) -> None:
        self._modality = modality
        self._encoding = encoding
        self._strict = strict
        self._by_line = by_line and modality == "text"
        self._sources: list[str] = []
        self._files: list[str] = []
        self._documents: list[NDArray[np.int64]] = []
        self._lines: list[NDArray[np.int64]] = []
        self._blocks = 0
        self.skipped = skipped

    @property
    def plural(self) -> str:
        return "images" if self._modality == "image" else "texts"

    def add(self, path: str) -> int:
        """Adds the sources of a file, and returns their number."""
        if self._modality == "image":
            self._sources.append(path)
            return 1
        try:
            texts = self._lines_of(path) if self._by_line else [self._text_of(path)]
        except MediaError as error:
            self.skipped.append(Skip(path, str(error)))
            return 0
        self._sources += texts
        self._files += [path] * len(texts)
        return len(texts)

    def _text_of(self, path: str) -> str:
        return decode_text(read_text_bytes(path), self._encoding)

    def _lines_of(self, path: str) -> list[str]:
        found = text_lines(path, self._encoding)
        if self._strict:
            refuse(found.bad)
        self.skipped += found.bad.listed()
        if not found.texts:
            raise MediaError(NO_TEXT)
        self._documents.append(found.documents + self._blocks)
        self._lines.append(found.numbers)
        self._blocks += int(found.documents[-1]) + 1
        return found.texts

    def labelled(self, kind: Kind) -> Labelled:
        return Labelled(
            self._modality,
            kind,
            tuple(self._sources),
            files=tuple(self._files),
            skipped=tuple(self.skipped),
            lines=np.concatenate(self._lines) if self._lines else None,
            documents=np.concatenate(self._documents) if self._documents and kind == "unlabelled" else None,
        )


def _of_classes(root: Path, sources: _FolderSources, files: list[str]) -> Labelled:
    # `scan` resolves ".." in this way too, so this is the length of the common prefix of its paths.
    start = len(os.path.abspath(root).rstrip("/\\")) + 1  # noqa: PTH100
    numbers, known = array("q"), dict[str, int]()
    for path in files:
        folder = PurePath(path[start:]).parent
        if folder == PurePath():
            sources.skipped.append(Skip(path, "not in a class folder"))
            continue
        count = sources.add(path)
        if count:
            numbers.extend([known.setdefault(folder.as_posix(), len(known))] * count)
    if len(known) < 2:
        raise TrainingError(
            f"{root} has {len(known)} class folders with {sources.plural}, at least 2 are needed: put the "
            f"{sources.plural} of each class into a folder of its own, or train without labels by --kind unlabelled"
            f"{left_out(sources.skipped)}"
        )
    classes, labels = sorted_classes(known, numbers)
    groups = tuple(name.split("/")[0] for name in classes)
    return replace(sources.labelled("classes"), labels=labels, classes=classes, groups=groups)


def _unlabelled(root: Path, sources: _FolderSources, files: list[str]) -> Labelled:
    count = sum(sources.add(path) for path in files)
    if count < 2:
        raise TrainingError(f"{root} has {count} {sources.plural}, at least 2 are needed{left_out(sources.skipped)}")
    return sources.labelled("unlabelled")
