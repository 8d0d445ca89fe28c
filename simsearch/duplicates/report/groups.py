"""A group on a page: the file that is kept beside the others, each with what happens to it and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.duplicates.report.names import counted, path_shown, shown, size_shown
from simsearch.duplicates.report.pictures import Thumbnail, defined, drawn, outline
from simsearch.duplicates.report.wording import compared, quoted, read_text
from simsearch.errors import MediaError
from simsearch.media.formats import IMAGE_SUFFIXES

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Group, PlannedFile, TakenOver

ACTIONS = {"keep": "kept", "remove": "to be removed", "leave": "stays"}
ROLES = {"sidecar": "sidecar", "raw": "RAW of the same shot", "film": "film of a live photo"}
WHOLE = 0.96
"""The share of a picture from which on all of it counts as shown."""
OPEN = 24
"""Files of a group that are shown at once; the others are folded away."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """What a file shows: a picture, a text, or why neither can be read."""

    picture: Thumbnail | None = None
    text: str | None = None
    why: str = ""

    @classmethod
    def of(cls, path: str) -> _Seen:
        try:
            if Path(path).suffix.lower() in IMAGE_SUFFIXES:
                return cls(picture=Thumbnail.of(path))
            return cls(text=read_text(path))
        except MediaError as error:
            return cls(why=str(error))


def group_shown(group: Group, folders: tuple[str, ...]) -> Iterator[str]:
    """The HTML of a group, piece by piece: only the kept picture stays in memory."""
    kept = _Seen.of(group.kept.state.path)
    others = [file for file in group.files if file is not group.kept]
    yield f'<section class="group" id="group-{group.number}"><h2>Group {group.number}: '
    yield f"{counted(len(group.files), 'file')}</h2>"
    if group.split:
        yield '<p class="note">One of these is also a copy of a file outside of this group, which is no copy of the '
        yield "one kept here. The two groups may be looked at together.</p>"
    yield f'<div class="beside">{_kept(group, kept, folders)}<div class="others">'
    name = f"kept-{group.number}"
    for file in others[:OPEN]:
        yield _other(file, kept, name, folders)
    yield "</div></div>"
    if len(others) > OPEN:
        yield f'<details><summary>{counted(len(others) - OPEN, "more file")}</summary><div class="others">'
        for file in others[OPEN:]:
            yield _other(file, kept, name, folders)
        yield "</div></details>"
    yield "</section>\n"


def _kept(group: Group, kept: _Seen, folders: tuple[str, ...]) -> str:
    drawing = defined(kept.picture, f"kept-{group.number}") if kept.picture else ""
    taken = "".join(f"<li>{_taken_over(one, folders)}</li>" for one in group.takes_over)
    takes = f"<p>Takes over from what is removed:</p><ul>{taken}</ul>" if taken else ""
    inside = quoted(kept.text) if kept.text is not None else _alone(kept, "The picture that is kept")
    return f"{drawing}{_article(group.kept, kept, inside, folders, takes)}"


def _other(file: PlannedFile, kept: _Seen, name: str, folders: tuple[str, ...]) -> str:
    seen = _Seen.of(file.state.path)
    if seen.text is not None:
        inside = quoted(seen.text) if kept.text is None else compared(kept.text, seen.text)
    else:
        inside = _alone(seen, f"{ACTIONS[file.action]}: {file.kind or 'copy'}")
        if seen.picture and kept.picture and file.transformation is not None:
            corners = outline(kept.picture, seen.picture, file.transformation)
            if corners is not None:
                inside += (
                    f"<figure>{drawn(kept.picture, name, corners)}<figcaption>on the kept one</figcaption></figure>"
                )
        inside = f'<div class="pictures">{inside}</div>'
    return _article(file, seen, inside, folders)


def _alone(seen: _Seen, caption: str) -> str:
    if seen.picture is None:
        return f'<p class="unread">cannot be shown: {shown(seen.why)}</p>'
    picture = seen.picture
    size = f'width="{picture.across}" height="{picture.down}"'
    return f'<figure><img src="{picture.uri}" {size} alt="{shown(caption)}"></figure>'


def _article(file: PlannedFile, seen: _Seen, inside: str, folders: tuple[str, ...], more: str = "") -> str:
    companions = "".join(
        f"<li>{path_shown(one.state.path, folders)} ({ROLES[one.role]}, {size_shown(one.state.size)})</li>"
        for one in file.companions
    )
    going = "Goes with it" if file.action == "remove" else "Stays with it"
    beside = f"<p>{going}:</p><ul>{companions}</ul>" if companions else ""
    reason = f"<p>{shown(file.reason[:1].upper() + file.reason[1:])}.</p>" if file.reason else ""
    return (
        f'<article class="{file.action}"><span class="action">{ACTIONS[file.action].capitalize()}</span>'
        f"{_relation(file)}{inside}<p>{path_shown(file.state.path, folders)}<br>"
        f'<span class="muted">{_facts(file, seen)}</span></p>{reason}{beside}{more}</article>'
    )


def _relation(file: PlannedFile) -> str:
    """Kind and score, and how much of each picture the other shows."""
    parts = [shown(file.kind)] if file.kind else []
    parts += [f"score {file.score:.2f}"] if file.score is not None else []
    if file.overlap is not None and min(file.overlap) < WHOLE:
        parts.append(f"shows {file.overlap[0]:.0%} of the kept one")
    return f' <span class="muted">{" · ".join(parts)}</span>' if parts else ""


def _facts(file: PlannedFile, seen: _Seen) -> str:
    facts = [f"{seen.picture.width} × {seen.picture.height}"] if seen.picture else []
    facts.append(size_shown(file.state.size))
    if file.state.symlink:
        facts.append("a symbolic link: its removal frees nothing")
    elif file.state.links > 1:
        facts.append(f"one of {file.state.links} hard links: its removal frees nothing")
    return " · ".join(facts)


def _taken_over(one: TakenOver, folders: tuple[str, ...]) -> str:
    value = shown(str(one.value))
    what = {
        "label": f"the label {value}",
        "metadata": f"{shown(one.key or '')} = {value}",
        "example": f"being an enrolled example of {value}",
    }[one.what]
    return f"{what}, from {path_shown(one.source, folders)}"
