"""Contact sheets as files, of one page or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import SimsearchError, UsageError
from simsearch.manifest import replacing
from simsearch.media.files import refuse_url

if TYPE_CHECKING:
    from PIL.Image import Image

SHEET_FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".pdf": "PDF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
PAGED = "PDF"
"""The format of which one file holds several pages."""


def sheet_format(path: str | Path) -> str:
    """Pillow's name of the format that the suffix names. Raises UsageError for another suffix, and for a URL."""
    refuse_url(path, "a file to write the sheet to")
    suffix = Path(path).suffix
    if suffix.lower() not in SHEET_FORMATS:
        raise UsageError(f"{path}: a contact sheet cannot be {suffix or 'without suffix'}; use .png or .jpg")
    return SHEET_FORMATS[suffix.lower()]


def save_sheet(image: Image, path: str | Path) -> None:
    """Writes the sheet, whole or not at all, in the format that the suffix names.

    Raises UsageError for another suffix, SimsearchError when the file cannot be written.
    """
    save_sheets([image], path)


def save_sheets(pages: Sequence[Image], path: str | Path) -> list[Path]:
    """The files that the pages of a sheet were written to, each whole or not at all.

    Several pages are one file as PDF, else NAME-1.png, NAME-2.png and so on. Raises UsageError for
    another suffix, SimsearchError when a file cannot be written.
    """
    path, name = Path(path), sheet_format(path)
    if len(pages) == 1 or name == PAGED:
        _save(pages, path, name)
        return [path]
    digits = len(str(len(pages)))
    files = [path.with_stem(f"{path.stem}-{number:0{digits}}") for number in range(1, len(pages) + 1)]
    for page, file in zip(pages, files, strict=True):
        _save([page], file, name)
    return files


def _save(pages: Sequence[Image], path: Path, name: str) -> None:
    more = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            pages[0].save(stream, format=name, **more)
    except (OSError, ValueError) as error:
        raise SimsearchError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error
