"""Contact sheets: rows of thumbnails with captions, for visual inspection of results."""

from simsearch.media.sheets.drawing import SheetRow, Tile, contact_sheet, contact_sheets, side_by_side
from simsearch.media.sheets.saving import check_sheet, save_sheet, save_sheets, sheet_format

__all__ = [
    "SheetRow",
    "Tile",
    "check_sheet",
    "contact_sheet",
    "contact_sheets",
    "save_sheet",
    "save_sheets",
    "sheet_format",
    "side_by_side",
]
