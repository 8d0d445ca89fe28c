"""The entry point for reading labelled material of any form."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from simsearch.errors import TrainingError, UsageError
from simsearch.labelled.columns import Columns, Roles, find_roles, parse_columns
from simsearch.labelled.folders import read_folder
from simsearch.labelled.forgeries import grouped_by_writer
from simsearch.labelled.manifests import read_manifest, read_unlabelled_table
from simsearch.labelled.material import KINDS, PARTITIONS, Kind, Labelled, Modality, text_contents
from simsearch.labelled.pairs import ANCHOR, read_graded_table, read_pairs_table, read_triplets_table
from simsearch.labelled.tables import open_labelled_table
from simsearch.labelled.text_lines import are_lines, read_text_lines
from simsearch.media.arguments import check_fields
from simsearch.media.encodings import check_encoding
from simsearch.media.files import refuse_url
from simsearch.media.tables import TABLE_SUFFIXES, shown

_FORMS = ".csv, .tsv, .jsonl, .json or .txt"

__all__ = [
    "KINDS",
    "PARTITIONS",
    "Kind",
    "Labelled",
    "Modality",
    "Reading",
    "are_lines",
    "read_labelled",
    "text_contents",
]


@dataclass(frozen=True, slots=True)
class Reading:
    """How a source is read, as far as it does not determine that itself; the arguments of `read_labelled`."""

    kind: Kind | None = None
    modality: Modality | None = None
    columns: str | None = None
    convention: str | None = None
    score_range: tuple[float, float] | None = None
    label_until: str | None = None
    by_line: bool = False
    encoding: str | None = None
    strict: bool = False

    def __post_init__(self) -> None:
        check_fields(self)

    def read(self, source: Path) -> Labelled:
        return read_labelled(source, **asdict(self))


@dataclass(frozen=True, slots=True)
class _Options:
    """The arguments of `read_labelled`, parsed."""

    modality: Modality | None
    kind: Kind | None
    columns: Columns | None
    convention: str | None
    score_range: tuple[float, float] | None
    label_until: str | None
    by_line: bool
    encoding: str | None
    strict: bool

    @property
    def of_tables(self) -> bool:
        """Whether an option is given that applies to tables only."""
        options = (self.columns, self.convention, self.score_range, self.label_until)
        return any(option is not None for option in options)


def read_labelled(
    source: Path,
    *,
    modality: Modality | None = None,
    kind: Kind | None = None,
    columns: str | None = None,
    convention: str | None = None,
    score_range: tuple[float, float] | None = None,
    label_until: str | None = None,
    by_line: bool = False,
    encoding: str | None = None,
    strict: bool = False,
) -> Labelled:
    """The labelled material in a folder or a file; docs/training-data.md shows every form.

    A folder holds class folders, or with kind "unlabelled" any files. A table (CSV, TSV, JSON Lines or a JSON array) is
    classes, pairs, graded pairs or triplets by the names of its columns, which `columns` gives or maps (see
    `parse_columns`). A .txt file without tabs in its first line has a text in each line. Reads row by row and keeps
    the sources and small arrays; images are not opened. `encoding` is that of files without a byte order
    mark, by default UTF-8. Unusable rows are skipped and listed; with `strict` they are rejected. Raises UsageError for
    incompatible options, TrainingError for unusable material.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
    if convention not in (None, "same", "different"):
        raise UsageError(f"no convention {convention!r}; there are same, different")
    if score_range is not None and (score_range[0] == score_range[1] or not np.isfinite(score_range).all()):
        raise UsageError(f"score range {score_range[0]},{score_range[1]}: must be two different finite numbers")
    check_encoding(encoding)
    named = None if columns is None else parse_columns(columns)
    options = _Options(modality, kind, named, convention, score_range, label_until, by_line, encoding, strict)
    refuse_url(source, f"a folder, or a {_FORMS} file")
    if not source.exists():
        raise TrainingError(f"{source} does not exist; give a folder, or a {_FORMS} file")
    found = _read_folder(source, options) if source.is_dir() else _read_file(source, options)
    return grouped_by_writer(found)


def _read_folder(root: Path, options: _Options) -> Labelled:
    if options.of_tables or options.kind not in (None, "classes", "unlabelled"):
        raise UsageError(
            f"{root} is a folder, of classes or unlabelled files; other kinds, and options for columns, apply to tables"
        )
    return read_folder(
        root,
        modality=options.modality,
        kind=options.kind or "classes",
        by_line=options.by_line,
        encoding=options.encoding,
        strict=options.strict,
    )


def _read_file(file: Path, options: _Options) -> Labelled:
    suffix = file.suffix.lower()
    if (suffix not in TABLE_SUFFIXES and suffix != ".txt") or not file.is_file():
        raise TrainingError(f"{file}: not a {_FORMS} file, nor a folder; convert it to one of these")
    if suffix == ".txt" and options.columns is None and are_lines(file, options.kind, options.encoding):
        if options.modality == "image" or options.kind not in (None, "unlabelled") or options.of_tables:
            raise TrainingError(f"{file}: lines of text without labels; a table needs tabs and a header")
        return read_text_lines(file, options.encoding, strict=options.strict)
    if options.by_line:
        raise UsageError(f"{file}: a row of a table is one source; by_line applies to folders of texts")
    columns = options.columns or Columns()
    with open_labelled_table(file, columns.names, encoding=options.encoding, strict=options.strict) as table:
        roles = find_roles(table, columns)
        return _read_table(roles, _kind_of(roles, options), options)


def _kind_of(roles: Roles, options: _Options) -> Kind:
    """The kind of data that the columns determine, or the given one. Raises TrainingError where it is ambiguous."""
    if options.kind is not None:
        return options.kind
    if roles.has("anchor", "positive", "negative"):
        return "triplets"
    if not roles.has("left", "right"):
        return "classes"
    if "score" not in roles:
        return "pairs"
    if options.convention is not None or "same" in roles or "different" in roles:
        raise TrainingError(
            f"{roles.table.file}: has both a score and a same or different label; choose --kind graded or --kind pairs"
        )
    return "graded"


def _read_table(roles: Roles, kind: Kind, options: _Options) -> Labelled:
    _check_use(kind, options)
    needed = {"pairs": ("left", "right"), "graded": ("left", "right", "score"), "triplets": ANCHOR}.get(kind, ())
    for role in needed:
        if role not in roles:
            raise TrainingError(
                f"{roles.table.file}: no column {role!r}, required for {kind}; the columns are "
                f"{shown(roles.table.columns)}; give --columns {role}=NAME"
            )
    if kind == "pairs":
        return read_pairs_table(roles, options.modality, options.convention)
    if kind == "graded":
        return read_graded_table(roles, options.modality, options.score_range)
    if kind == "triplets":
        return read_triplets_table(roles, options.modality)
    if kind == "classes":
        return read_manifest(roles, options.modality, options.label_until)
    return read_unlabelled_table(roles, options.modality)


def _check_use(kind: Kind, options: _Options) -> None:
    """Raises UsageError for an option without effect."""
    for option, used_by, value in (
        ("convention", "pairs", options.convention),
        ("score_range", "graded", options.score_range),
        ("label_until", "classes", options.label_until),
    ):
        if value is not None and kind != used_by:
            flag = f"--{option.replace('_', '-')}; for train --set {option}="
            raise UsageError(f"{option} ({flag}) applies to {used_by}, not {kind}; omit it or give --kind {used_by}")
