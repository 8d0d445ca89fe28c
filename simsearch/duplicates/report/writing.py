"""Writing the report of a plan: one HTML page, or several where there is much to show."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.duplicates.report.groups import group_shown
from simsearch.duplicates.report.names import counted, shown, size_shown
from simsearch.duplicates.report.style import STYLE
from simsearch.manifest import replacing
from simsearch.outputs import require_output
from simsearch.progress import Progress, Silent, Working

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Group, Plan

FILES = 300
"""Files on a page, before it ends with the group at hand: about 6 MB of HTML."""
MARK = '<meta name="generator" content="simsearch dedupe">'
"""The mark of a report: no other file is ever replaced."""
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
SUFFIXES = (".html", ".htm")
_HEAD = 4_096


def write_report(plan: Plan, path: Path, *, force: bool = False, progress: Progress | None = None) -> tuple[Path, ...]:
    """Writes the report of a plan, and returns its pages: `path`, then those with a number, if there are several.

    Pages hold all that they show, without scripts. Files are read one at a time; one that cannot be read is shown with
    the reason. Pages of an earlier report of this name that are no longer needed are removed. Raises UsageError, before
    any work, for another suffix than .html, or where a file that is not such a report would be replaced.
    """
    path = Path(path)
    pages = _pages(plan.groups)
    paths = [path if number == 1 else _numbered(path, number) for number in range(1, len(pages) + 1)]
    older = _older(path, len(pages))
    for page in paths:
        check_report(page, force=force)
    progress = progress or Silent()
    with Working(progress, len(plan.groups), "groups", "report"):
        for number, groups in enumerate(pages, 1):
            with replacing(paths[number - 1]) as temporary, temporary.open("w", encoding="utf-8") as stream:
                stream.write(_opening(plan, paths, number))
                for group in groups:
                    stream.writelines(group_shown(group, plan.header.searched))
                    progress.advance(1)
                stream.write(_closing(paths, number))
    for page in older:
        page.unlink()
    return tuple(paths)


def _pages(groups: Sequence[Group]) -> list[list[Group]]:
    pages: list[list[Group]] = [[]]
    files = 0
    for group in groups:
        if files >= FILES:
            pages.append([])
            files = 0
        pages[-1].append(group)
        files += len(group.files)
    return pages


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.stem}-{number}{path.suffix}")


def _older(path: Path, pages: int) -> list[Path]:
    """Reports with the numbers that follow, as an earlier plan with more groups left them."""
    found: list[Path] = []
    while is_report(page := _numbered(path, max(pages, 1) + 1 + len(found))):
        found.append(page)
    return found


def check_report(path: Path, *, force: bool = False) -> None:
    """Raises UsageError unless a report can be written to `path`: see `require_output`."""
    require_output(path, "a report of duplicates", SUFFIXES, MARK.encode(), force=force)


def is_report(path: Path) -> bool:
    """Whether the file is a report that was written here."""
    try:
        with path.open("rb") as stream:
            return MARK.encode() in stream.read(_HEAD)
    except OSError:
        return False


def _opening(plan: Plan, paths: Sequence[Path], number: int) -> str:
    title = f"Duplicates in {', '.join(Path(folder).name or folder for folder in plan.header.searched)}"
    page = f", page {number} of {len(paths)}" if len(paths) > 1 else ""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">{MARK}<title>{shown(title)}{page}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}"><style>{_minified(STYLE)}</style></head><body>'
        f"<header><h1>{shown(title)}</h1>{_summary(plan)}{_navigation(paths, number)}</header><main>\n"
    )


def _summary(plan: Plan) -> str:
    totals, header = plan.totals, plan.header
    kept = sum(file.action == "leave" for group in plan.groups for file in group.files)
    figures = [
        (f"{len(plan.groups):,}", "groups" if len(plan.groups) != 1 else "group"),
        (f"{totals.files:,}", f"{'files' if totals.files != 1 else 'file'} to be removed"),
        (size_shown(totals.bytes), "freed"),
        *([(f"{kept:,}", "left for you to decide")] if kept else []),
    ]
    items = "".join(f"<li><b>{number}</b> {what}</li>" for number, what in figures)
    facts = [f"Searched: {', '.join(shown(folder) for folder in header.searched)}."]
    if header.reference:
        facts.append(f"Never touched: {', '.join(shown(folder) for folder in header.reference)}.")
    if header.policy:
        facts.append(f"What is kept was chosen by {', '.join(shown(one) for one in header.policy)}.")
    facts.append("Files that belong to a picture are counted with it; hard and symbolic links free nothing.")
    return f'<ul class="totals">{items}</ul><p class="muted">{" ".join(facts)}</p>'


def _navigation(paths: Sequence[Path], number: int) -> str:
    if len(paths) == 1:
        return ""
    links = "".join(_link(path, place, place == number) for place, path in enumerate(paths, 1))
    return f'<nav aria-label="Pages">Pages: {links}</nav>'


def _link(path: Path, number: int, here: bool) -> str:
    current = ' aria-current="page"' if here else ""
    # Relative, so that the pages can be moved together; a name may hold a colon, which would look like a scheme.
    return f'<a href="./{_quoted(path.name)}"{current}>{number}</a>'


def _quoted(name: str) -> str:
    from urllib.parse import quote

    return quote(name.encode("utf-8", "surrogateescape"))


def _closing(paths: Sequence[Path], number: int) -> str:
    return (
        f"</main><footer>{_navigation(paths, number)}<p>Nothing was changed by this report. An outline shows where "
        "the copy lies on the kept picture; the dot is the upper left corner of the copy. In texts, words that only "
        "the kept one has are struck out, and words that only the other has are underlined. "
        f"{_counted(paths)}</p></footer></body></html>\n"
    )


def _counted(paths: Sequence[Path]) -> str:
    return "" if len(paths) == 1 else f"This report has {counted(len(paths), 'page')}."


def _minified(style: str) -> str:
    return re.sub(r"\s*\n\s*", "", style)
