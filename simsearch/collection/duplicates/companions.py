"""Files that belong to a picture: sidecars, the RAW beside a JPEG, the film of a live photo."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.raw import RAW_SUFFIXES

if TYPE_CHECKING:
    from simsearch.duplicates.removal.plan import Role

SIDECARS = frozenset((".xmp", ".json", ".aae"))
RAWS = RAW_SUFFIXES | {".crw", ".mef", ".mos", ".raw", ".rwl", ".x3f"}
FILMS = frozenset((".mov", ".mp4", ".m4v"))
_ROLES: dict[str, Role] = {
    **dict.fromkeys(SIDECARS, "sidecar"),
    **dict.fromkeys(RAWS, "raw"),
    **dict.fromkeys(FILMS, "film"),
}


@dataclass(frozen=True, slots=True)
class Beside:
    """A file that belongs to a picture; `shared` are the other pictures of its name, to which it belongs as well."""

    path: str
    role: Role
    shared: tuple[str, ...] = ()


@dataclass(slots=True)
class Folders:
    """What lies beside pictures; each folder is read once."""

    _named: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    """For each folder its files by the part of their names before the first dot, in small letters."""

    def beside(self, path: str) -> tuple[Beside, ...]:
        """The files that belong to a picture, by name: `a.jpg.xmp` to `a.jpg`, `a.xmp` to all pictures named `a`."""
        folder, name = os.path.split(path)
        stem, alike = _stem(name), self._alike(folder, name)
        pictures = [other for other in alike if other != name and _stem(other) == stem and _is_picture(other)]
        others = tuple(os.path.join(folder, other) for other in sorted(pictures))  # noqa: PTH118
        found = []
        for other in alike:
            role = _ROLES.get(os.path.splitext(other)[1].lower())  # noqa: PTH122
            if role is None or other == name:
                continue
            if role == "sidecar" and other.lower().startswith(f"{name.lower()}."):
                found.append(Beside(os.path.join(folder, other), role))  # noqa: PTH118
            elif _stem(other) == stem:
                found.append(Beside(os.path.join(folder, other), role, others))  # noqa: PTH118
        return tuple(sorted(found, key=lambda one: one.path))

    def is_beside_picture(self, path: str) -> bool:
        """Whether a file is the RAW of a picture beside it, with which it goes and stays."""
        folder, name = os.path.split(path)
        if os.path.splitext(name)[1].lower() not in RAWS:  # noqa: PTH122
            return False
        return any(_stem(other) == _stem(name) and _is_picture(other) for other in self._alike(folder, name))

    def _alike(self, folder: str, name: str) -> list[str]:
        if folder not in self._named:
            named = defaultdict(list)
            try:
                with os.scandir(folder) as listing:
                    for entry in listing:
                        if not entry.is_dir():
                            named[_beginning(entry.name)].append(entry.name)
            except OSError:
                # The picture itself will be reported as gone.
                named.clear()
            self._named[folder] = dict(named)
        return self._named[folder].get(_beginning(name), [])


def _beginning(name: str) -> str:
    return name.partition(".")[0].lower()


def _stem(name: str) -> str:
    return os.path.splitext(name)[0].lower()  # noqa: PTH122


def _is_picture(name: str) -> bool:
    """Whether a file is an image by its name, other than the raw one of a camera."""
    return os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES - RAWS  # noqa: PTH122
