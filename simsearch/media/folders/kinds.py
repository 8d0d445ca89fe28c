"""Whether files are a collection of pictures or of texts, where both lie together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import PurePath
from typing import Literal

NOTES = frozenset(
    (
        *("readme", "license", "licence", "copying", "notice", "copyright", "changelog", "changes", "authors"),
        *("contributing", "citation", "credits", "attribution", "requirements", "todo"),
        *("labels", "label", "classes", "metadata", "annotations", "captions", "manifest", "index", "data"),
    )
)
"""Names without suffix, in lower case, of files that describe the pictures beside them."""
NOTES_FOLDERS = frozenset(("labels", "annotations", "captions"))
MOST = 0.75
"""The share of one kind from which on the others are taken for strays."""


def texts_that_count(images: Sequence[str], texts: Sequence[str], given: Collection[str] = ()) -> list[str]:
    """The paths of texts without those that describe pictures: all of them where there are no pictures.

    Such are texts named like a picture in their folder (`1.txt` or `1.jpg.txt` beside `1.jpg`) or, in a folder
    `labels`, anywhere; README, LICENSE, labels, metadata and the like; and JSON. Those in `given` always count.
    """
    if not images:
        return list(texts)
    pictures = [PurePath(path) for path in images]
    beside = {str(path.with_suffix("")) for path in pictures} | {str(path) for path in pictures}
    stems = {path.stem for path in pictures}
    return [text for text in texts if text in given or not _describes(PurePath(text), beside, stems)]


def _describes(text: PurePath, beside: Collection[str], stems: Collection[str]) -> bool:
    return (
        text.stem.lower() in NOTES
        or text.suffix.lower() == ".json"
        or str(text.with_suffix("")) in beside
        or (text.parent.name.lower() in NOTES_FOLDERS and text.stem in stems)
    )


def leading_kind(images: int, texts: int) -> Literal["image", "text"] | None:
    """The kind that three quarters of the files or more are; None where it is unclear. No file counts as images."""
    if images >= MOST * (images + texts):
        return "image"
    return "text" if texts >= MOST * (images + texts) else None
