"""Tables with one source in each row: manifests of classes, and tables without labels."""

from __future__ import annotations

from array import array
from dataclasses import replace

import numpy as np

from simsearch.errors import TrainingError
from simsearch.labelled.annotations import Annotations
from simsearch.labelled.columns import Roles
from simsearch.labelled.material import Labelled, Modality, left_out, sorted_classes
from simsearch.labelled.sources import Sources
from simsearch.media.rows import Row, RowError
from simsearch.media.tables import shown


def read_manifest(roles: Roles, modality: Modality | None, label_until: str | None) -> Labelled:
    """Sources of the column path or text with the class in `label`.

    With `label_until` a label ends before the first of these separators: captions `7.jpg#0` and `7.jpg#1` have class
    `7.jpg` by "#".
    """
    table = roles.table
    role = source_role(roles, modality)
    if "label" not in roles:
        raise TrainingError(
            f"{table.file}: no column 'label' with the classes; rename the column, give --columns label=NAME, or train "
            f"without labels by --kind unlabelled; the columns are "
            f"{shown(table.columns)}"
        )
    sources, annotations = Sources(roles, modality), Annotations(roles)
    numbers, known = array("q"), dict[str, int]()
    for value, label, annotation in roles.parsed(
        lambda row: (roles.value(row, role), _label(roles, row, label_until), annotations.parse(row))
    ):
        if sources.append(value, role):
            numbers.append(known.setdefault(label, len(known)))
            annotations.add(annotation)
    if len(known) < 2:
        lost = left_out((*table.bad.listed(), *sources.skipped))
        raise TrainingError(f"{table.file}: {len(known)} classes, at least 2 are needed{lost}")
    classes, labels = sorted_classes(known, numbers)
    found = annotations.on(
        Labelled(
            sources.modality,
            "classes",
            sources.all,
            labels=labels,
            classes=classes,
            groups=classes,
            skipped=tuple(sources.skipped),
        )
    )
    return replace(found, groups=_groups_of_classes(found))


def _label(roles: Roles, row: Row, until: str | None) -> str:
    label = roles.value(row, "label").strip()
    if until is None:
        return label
    name = label.partition(until)[0]
    if until not in label or not name:
        raise RowError(f"{roles.names['label']}={label[:60]!r} has no text before a {until!r}")
    return name


def _groups_of_classes(found: Labelled) -> tuple[str, ...]:
    """The group of each class if every class is in one group, else the classes themselves."""
    if found.grouped is None or found.labels is None:
        return found.classes
    both = np.unique(np.stack([found.labels, found.grouped], axis=1), axis=0)
    if len(both) > len(found.classes):
        return found.classes
    return tuple(found.group_names[group] for group in both[:, 1])


def read_unlabelled_table(roles: Roles, modality: Modality | None) -> Labelled:
    """Unlabelled sources of the column path or text."""
    role = source_role(roles, modality)
    sources, annotations = Sources(roles, modality), Annotations(roles)
    for value, annotation in roles.parsed(lambda row: (roles.value(row, role), annotations.parse(row))):
        if sources.append(value, role):
            annotations.add(annotation)
    if len(sources.all) < 2:
        lost = left_out((*roles.table.bad.listed(), *sources.skipped))
        raise TrainingError(f"{roles.table.file}: {len(sources.all)} sources, at least 2 are needed{lost}")
    return annotations.on(Labelled(sources.modality, "unlabelled", sources.all, skipped=tuple(sources.skipped)))


def source_role(roles: Roles, modality: Modality | None) -> str:
    """The role of the column with the sources, path or text. Raises TrainingError for none, or both and no modality."""
    columns = roles.table.columns
    if roles.has("path", "text"):
        if modality is None:
            raise TrainingError(
                f"{roles.table.file}: images in {roles.names['path']!r}, texts in {roles.names['text']!r}; choose "
                "--modality image or --modality text"
            )
        return "path" if modality == "image" else "text"
    if "path" in roles or "text" in roles:
        return "path" if "path" in roles else "text"
    raise TrainingError(
        f"{roles.table.file}: no column 'path' or 'text' with the sources, 'left' and 'right' for pairs, or 'anchor', "
        f"'positive' and 'negative'; the columns are {shown(columns)}. Give --columns ROLE=NAME,... or, if "
        "the first line is no header, --columns NAME,NAME,..."
    )
