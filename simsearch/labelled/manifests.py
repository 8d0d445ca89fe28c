"""A source a row: manifests of classes, tables without labels, and plain lines of text."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import TrainingError
from simsearch.labelled.annotations import Extras
from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled, Modality, sorted_classes
from simsearch.labelled.sources import Sources
from simsearch.media.tables import Row, open_lines, shown
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray


def read_manifest(roles: Roles, modality: Modality | None, label_until: str | None) -> Labelled:
    """Sources of the column path or text with the class in `label`.

    With `label_until` a label ends before the first of these signs: captions `7.jpg#0` and `7.jpg#1` have class
    `7.jpg` by "#".
    """
    table = roles.table
    role = source_role(roles, modality)
    if "label" not in roles:
        raise TrainingError(
            f"{table.file}: no column 'label', so nothing says which are similar; name it so, say "
            f"--columns label=NAME, or --kind unlabelled to learn without labels; the columns are "
            f"{shown(table.columns)}"
        )
    sources, extras = Sources(roles, modality), Extras(roles)
    numbers, known = array("q"), dict[str, int]()
    for row in table.rows:
        label = _label(roles, row, label_until)
        if sources.append(row, role):
            numbers.append(known.setdefault(label, len(known)))
            extras.add(row)
    if len(known) < 2:
        raise TrainingError(f"{table.file}: {len(known)} classes, at least 2 are needed{left_out(sources.skipped)}")
    classes, labels = sorted_classes(known, numbers)
    found = extras.on(Labelled(
        sources.modality, "classes", sources.all, labels=labels, classes=classes, groups=classes,
        skipped=tuple(sources.skipped),
    ))  # fmt: skip
    return replace(found, groups=_groups_of_classes(found))


def left_out(skipped: Sequence[Skip]) -> str:
    """What an error says of sources that could not be taken, which may be its cause."""
    if not skipped:
        return ""
    first = skipped[0]
    return f" ({len(skipped):,} left out, the first: {first.path}: {first.reason})"


def _label(roles: Roles, row: Row, until: str | None) -> str:
    label = roles.value(row, "label").strip()
    if until is None:
        return label
    name = label.partition(until)[0]
    if until not in label or not name:
        raise roles.table.wrong(row, f"{roles.name('label')}={label[:60]!r} has nothing before a {until!r}")
    return name


def _groups_of_classes(found: Labelled) -> tuple[str, ...]:
    """The group of each class where every class is in one group; the classes themselves otherwise."""
    if found.grouped is None or found.labels is None:
        return found.classes
    both = np.unique(np.stack([found.labels, found.grouped], axis=1), axis=0)
    if len(both) > len(found.classes):
        return found.classes
    return tuple(found.group_names[group] for group in both[:, 1])


def read_unlabelled_table(roles: Roles, modality: Modality | None) -> Labelled:
    """Sources of the column path or text, about which nothing is known."""
    role = source_role(roles, modality)
    sources, extras = Sources(roles, modality), Extras(roles)
    for row in roles.table.rows:
        if sources.append(row, role):
            extras.add(row)
    _check_count(roles.table.file, len(sources.all))
    return extras.on(Labelled(sources.modality, "unlabelled", sources.all, skipped=tuple(sources.skipped)))


def source_role(roles: Roles, modality: Modality | None) -> str:
    """Which of the columns path and text holds the sources. Raises TrainingError for none, or both and no modality."""
    columns = roles.table.columns
    if roles.has("path", "text"):
        if modality is None:
            raise TrainingError(
                f"{roles.table.file}: pictures in {roles.name('path')!r} or texts in {roles.name('text')!r}? Say "
                "--modality image or --modality text"
            )
        return "path" if modality == "image" else "text"
    if "path" in roles or "text" in roles:
        return "path" if "path" in roles else "text"
    raise TrainingError(
        f"{roles.table.file}: no column 'path' or 'text' with the sources, 'left' and 'right' for pairs, or 'anchor', "
        f"'positive' and 'negative'; the columns are {shown(columns)}. Say --columns ROLE=NAME,... or, where "
        "the first line is no header, --columns NAME,NAME,..."
    )


def read_lines(file: Path) -> Labelled:
    """Each line of a text file that is not blank; where there are blank lines, what stands between is a document."""
    with open_lines(file) as lines:
        texts, documents, numbers = blocks_of(lines)
    _check_count(file, len(texts))
    return Labelled("text", "unlabelled", tuple(texts), documents=documents if documents[-1] else None, lines=numbers)


def blocks_of(lines: Iterable[str]) -> tuple[list[str], NDArray[np.int64], NDArray[np.int64]]:
    """The lines that are not blank, stripped; the number of the block of lines that each is in; its own number."""
    texts, blocks, numbers, block, ended = [], array("q"), array("q"), -1, True
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if text:
            block += ended
            texts.append(text)
            blocks.append(block)
            numbers.append(number)
        ended = not text
    return texts, np.array(blocks, dtype=np.int64), np.array(numbers, dtype=np.int64)


def _check_count(file: Path, count: int) -> None:
    if count < 2:
        raise TrainingError(f"{file}: {count} sources, at least 2 are needed")
