"""Contact sheets as files, of one page or several."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL.Image import Exif
from PIL.PngImagePlugin import PngInfo

from simsearch.errors import SimsearchError, UsageError
from simsearch.manifest import replacing
from simsearch.media.files import refuse_url
from simsearch.outputs import require_output

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
SHEET_MARK = "simsearch contact sheet"
_SOFTWARE = 305
"""The tag of TIFF and EXIF for the program that made a file."""
PAGED = "PDF"
"""The format of which one file holds several pages."""


def sheet_format(path: str | Path) -> str:
    """Pillow's name of the format that the suffix names. Raises UsageError for another suffix, and for a URL."""
    refuse_url(path, "a file to write the sheet to")
    suffix = Path(path).suffix
    if suffix.lower() not in SHEET_FORMATS:
        listed = " or ".join(SHEET_FORMATS)
        kind = suffix or "without suffix"
        raise UsageError(f"{path}: a contact sheet cannot be {kind}; give a name that ends in {listed}")
    return SHEET_FORMATS[suffix.lower()]


def check_sheet(path: str | Path, *, force: bool = False) -> None:
    """Raises UsageError for another suffix, and for a file that is there and no contact sheet, unless `force`."""
    refuse_url(path, "a file to write the sheet to")
    require_output(Path(path), "a contact sheet", SHEET_FORMATS, SHEET_MARK.encode(), force=force)


def save_sheet(image: Image, path: str | Path, *, force: bool = False) -> None:
    """Writes the sheet, whole or not at all, in the format that the suffix names.

    Raises UsageError like `check_sheet`, SimsearchError when the file cannot be written.
    """
    save_sheets([image], path, force=force)


def save_sheets(pages: Sequence[Image], path: str | Path, *, force: bool = False) -> list[Path]:
    """The files that the pages of a sheet were written to, each whole or not at all.

    Several pages are one file as PDF, else NAME-1.png, NAME-2.png and so on. Raises UsageError like `check_sheet`
    before the first is written, SimsearchError when a file cannot be written.
    """
    path, name = Path(path), sheet_format(path)
    if len(pages) == 1 or name == PAGED:
        check_sheet(path, force=force)
        _save(pages, path, name)
        return [path]
    digits = len(str(len(pages)))
    files = [path.with_stem(f"{path.stem}-{number:0{digits}}") for number in range(1, len(pages) + 1)]
    for file in files:
        check_sheet(file, force=force)
    for page, file in zip(pages, files, strict=True):
        _save([page], file, name)
    return files


def _save(pages: Sequence[Image], path: Path, name: str) -> None:
    more: dict[str, Any] = {"save_all": True, "append_images": pages[1:]} if len(pages) > 1 else {}
    try:
        with replacing(path) as temporary, temporary.open("wb") as stream:
            pages[0].save(stream, format=name, **more, **_marked(name))
            if name == "PDF":
                # Pillow writes its strings in UTF-16; a comment at the end is plain.
                stream.write(f"% {SHEET_MARK}\n".encode())
    except (OSError, ValueError) as error:
        raise SimsearchError(f"{path}: cannot be written: {getattr(error, 'strerror', None) or error}") from error


def _marked(name: str) -> dict[str, Any]:
    """The arguments of Pillow that leave the mark of a contact sheet in a file of this format."""
    if name == "PDF":
        return {}
    if name == "TIFF":
        return {"tiffinfo": {_SOFTWARE: SHEET_MARK}}
    if name == "PNG":
        text = PngInfo()
        text.add_text("Software", SHEET_MARK)
        return {"pnginfo": text}
    exif = Exif()
    exif[_SOFTWARE] = SHEET_MARK
    return {"exif": exif.tobytes()}
