"""Folders of pictures or of text files: class folders, or files without labels."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from pathlib import Path, PurePath

import numpy as np

from simsearch.errors import MediaError, TrainingError
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.lists import documents_of
from simsearch.media.material import Kind, Labelled, Modality, sorted_classes
from simsearch.media.scan import scan
from simsearch.media.sources import TEXT_SUFFIXES, read_text
from simsearch.types import Skip


def read_folder(root: Path, *, modality: Modality | None, kind: Kind, by_line: bool) -> Labelled:
    """The files under `root`: pictures, or where there are none the texts of .txt and .md files.

    Kind "classes": the class of a file is the folder that holds it, relative to `root`. `root/red/1.png` has class
    `red`; `root/Greek/alpha/1.png` has class `Greek/alpha` and group `Greek`. Files directly in `root` belong to no
    class and are skipped. Kind "unlabelled": every file. With `by_line` each line of a text file is a source, and
    where there are no labels each file, and each block of lines between blank lines, is a document.
    """
    found, skipped = _files(root, modality)
    modality = modality or ("image" if found["image"] or not found["text"] else "text")
    kinds = {"image": "an image", "text": "a text"}
    other: Modality = "text" if modality == "image" else "image"
    skipped += [Skip(path, f"not {kinds[modality]} ({PurePath(path).suffix.lower()})") for path in found[other]]
    if kind == "classes":
        return _of_classes(root, modality, found[modality], skipped, by_line)
    return _unlabelled(root, modality, found[modality], skipped, by_line)


def _files(root: Path, modality: Modality | None) -> tuple[dict[str, list[str]], list[Skip]]:
    found: dict[str, list[str]] = {"image": [], "text": []}
    skipped = []
    for entry in scan(root, IMAGE_SUFFIXES | TEXT_SUFFIXES):
        if isinstance(entry, Skip):
            reason = entry.reason.replace("not an image", "not a text") if modality == "text" else entry.reason
            skipped.append(Skip(entry.path, reason))
        else:
            is_text = PurePath(entry.path).suffix.lower() in TEXT_SUFFIXES
            found["text" if is_text else "image"].append(entry.path)
    return found, skipped


def _of_classes(root: Path, modality: Modality, files: list[str], skipped: list[Skip], by_line: bool) -> Labelled:
    # `scan` resolves ".." in this way too, so that the start of its paths is as long as this.
    start = len(os.path.abspath(root).rstrip("/\\")) + 1  # noqa: PTH100
    sources, numbers, known = [], array("q"), dict[str, int]()
    for path in files:
        folder = PurePath(path[start:]).parent
        if folder == PurePath():
            skipped.append(Skip(path, "not in a class folder"))
            continue
        for source, _ in _sources(path, modality, by_line, skipped):
            sources.append(source)
            numbers.append(known.setdefault(folder.as_posix(), len(known)))
    what = "pictures" if modality == "image" else "texts"
    if len(known) < 2:
        raise TrainingError(
            f"{root} has {len(known)} class folders with {what}, at least 2 are needed: put the {what} of each class "
            "into a folder of its own, or say --kind unlabelled to learn without labels"
        )
    classes, labels = sorted_classes(known, numbers)
    groups = tuple(name.split("/")[0] for name in classes)
    return Labelled(
        modality, "classes", tuple(sources), labels=labels, classes=classes, groups=groups, skipped=tuple(skipped)
    )


def _unlabelled(root: Path, modality: Modality, files: list[str], skipped: list[Skip], by_line: bool) -> Labelled:
    sources, documents, before = [], array("q"), 0
    for path in files:
        document = 0
        for source, document in _sources(path, modality, by_line, skipped):
            sources.append(source)
            documents.append(before + document)
        before += document + 1
    if len(sources) < 2:
        what = "pictures" if modality == "image" else "texts"
        raise TrainingError(f"{root} has {len(sources)} {what}, at least 2 are needed")
    return Labelled(
        modality, "unlabelled", tuple(sources), skipped=tuple(skipped),
        documents=np.array(documents, dtype=np.int64) if by_line and modality == "text" else None,
    )  # fmt: skip


def _sources(path: str, modality: Modality, by_line: bool, skipped: list[Skip]) -> Iterator[tuple[str, int]]:
    """What a file holds, each with the number of its document in the file; a text that cannot be read is skipped."""
    if modality == "image":
        yield path, 0
        return
    try:
        text = read_text(path)
    except MediaError as error:
        skipped.append(Skip(path, str(error)))
        return
    if by_line:
        yield from documents_of(text.splitlines())
    else:
        yield text, 0
