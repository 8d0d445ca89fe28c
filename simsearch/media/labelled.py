"""The front door to what can be trained and evaluated on, whatever form it has."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import TrainingError, UsageError
from simsearch.media.columns import Columns, Roles, find_roles, parse_columns
from simsearch.media.folders import read_folder
from simsearch.media.lists import read_lines, read_manifest, read_unlabelled_table
from simsearch.media.material import KINDS, SIDES, Kind, Labelled, Modality, text_contents
from simsearch.media.pairs import ANCHOR, read_graded_table, read_pairs_table, read_triplets_table
from simsearch.media.scan import scan
from simsearch.media.splits import Split
from simsearch.media.tables import TABLE_SUFFIXES, open_lines, open_table, shown
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["KINDS", "SIDES", "Kind", "Labelled", "Modality", "Split", "read_labelled", "text_contents"]


@dataclass(frozen=True, slots=True)
class _Options:
    """What the user says, as `read_labelled` takes it."""

    modality: Modality | None
    kind: Kind | None
    columns: Columns | None
    convention: str | None
    score_range: tuple[float, float] | None
    label_until: str | None
    by_line: bool

    @property
    def of_tables(self) -> bool:
        """Whether anything is said that only the columns of a table can have."""
        said = (self.columns, self.convention, self.score_range, self.label_until)
        return any(option is not None for option in said)


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
) -> Labelled:
    """What a folder or a file holds to learn from; docs/training-data.md shows every form.

    A folder holds class folders, or with kind "unlabelled" any files. A CSV, TSV or JSON Lines file is classes, pairs,
    graded pairs or triplets by the names of its columns, which `columns` gives or maps (see `parse_columns`). A .txt
    file without tabs in its first line is a text a line. Reads row by row and keeps the sources and small arrays;
    pictures are only named, not opened. Raises UsageError for options that do not go together, TrainingError with
    file and line for anything that cannot be learned from.
    """
    if kind is not None and kind not in KINDS:
        raise UsageError(f"no kind {kind!r}; there are {', '.join(KINDS)}")
    if convention not in (None, "same", "different"):
        raise UsageError(f"no convention {convention!r}; there are same, different")
    if score_range is not None and (score_range[0] == score_range[1] or not np.isfinite(score_range).all()):
        raise UsageError(f"no range from {score_range[0]} to {score_range[1]}; two different numbers are needed")
    told = None if columns is None else parse_columns(columns)
    options = _Options(modality, kind, told, convention, score_range, label_until, by_line)
    if not source.exists():
        raise TrainingError(f"{source} does not exist; give a folder, or a .csv, .tsv, .jsonl or .txt file")
    return _read_folder(source, options) if source.is_dir() else _read_file(source, options)


def _read_folder(root: Path, options: _Options) -> Labelled:
    if options.of_tables or options.kind not in (None, "classes", "unlabelled"):
        raise UsageError(
            f"{root} is a folder: it holds classes or unlabelled files; other kinds, and options of columns, are for "
            "tables"
        )
    return read_folder(root, modality=options.modality, kind=options.kind or "classes", by_line=options.by_line)


def _read_file(file: Path, options: _Options) -> Labelled:
    suffix = file.suffix.lower()
    if suffix not in TABLE_SUFFIXES or not file.is_file():
        raise TrainingError(f"{file}: not a .csv, .tsv, .jsonl or .txt file, nor a folder; convert it to one of these")
    if suffix == ".txt" and options.columns is None and _are_lines(file, options.kind):
        if options.modality == "image" or options.kind not in (None, "unlabelled") or options.of_tables:
            raise TrainingError(f"{file}: lines of text, without labels or pictures; a table has tabs and a header")
        return read_lines(file)
    if options.by_line:
        raise UsageError(f"{file}: a row of a table is one source; --by-line is for folders of texts")
    columns = options.columns or Columns()
    with open_table(file, columns.names) as table:
        roles = find_roles(table, columns)
        return _read_table(roles, _kind_of(roles, options), options)


def _are_lines(file: Path, kind: Kind | None) -> bool:
    """Whether a .txt file is a text a line; a tab in its first line makes it a table, unless it is unlabelled."""
    with open_lines(file) as lines:
        return kind == "unlabelled" or "\t" not in next(lines, "")


def _kind_of(roles: Roles, options: _Options) -> Kind:
    """What the columns are made for; the user decides where they are made for several things."""
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
            f"{roles.table.file}: both a score and an answer that says which pairs are similar; say --kind graded or "
            "--kind pairs"
        )
    return "graded"


def _read_table(roles: Roles, kind: Kind, options: _Options) -> Labelled:
    _check_use(kind, options)
    needed = {"pairs": ("left", "right"), "graded": ("left", "right", "score"), "triplets": ANCHOR}.get(kind, ())
    for role in needed:
        if role not in roles:
            raise TrainingError(
                f"{roles.table.file}: no column {role!r}, which {kind} need; the columns are "
                f"{shown(roles.table.columns)}; say --columns {role}=NAME"
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
    """Raises UsageError for an option that would do nothing."""
    for option, used_by, value in (
        ("convention", "pairs", options.convention),
        ("score-range", "graded", options.score_range),
        ("label-until", "classes", options.label_until),
    ):
        if value is not None and kind != used_by:
            raise UsageError(f"--{option} is for {used_by}, and these are {kind}; leave it out or say --kind {used_by}")


SAME_COLUMNS = ("same", "similar")
DIFFERENT_COLUMNS = ("different", "dissimilar")
TRUE_WORDS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """Files with the number of their class; `groups` names what a class belongs to (an alphabet, a writer)."""

    paths: tuple[str, ...]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    """The group of each class: the top folder of its path."""
    skipped: tuple[Skip, ...] = ()


def read_class_folders(root: Path, suffixes: frozenset[str]) -> LabelledFiles:
    """Every file under `root`, its class being the folder that holds it, relative to `root`.

    `root/red/1.png` has class `red`; `root/Greek/alpha/1.png` has class `Greek/alpha` and group `Greek`.
    Files directly in `root` belong to no class and are skipped.
    """
    paths, names, skipped = [], [], []
    # `scan` resolves ".." in this way too, so that the start of its paths is as long as this.
    start = len(os.path.abspath(root).rstrip("/\\")) + 1  # noqa: PTH100
    for entry in scan(root, suffixes):
        if isinstance(entry, Skip):
            skipped.append(entry)
            continue
        folder = PurePath(entry.path[start:]).parent
        if folder == PurePath():
            skipped.append(Skip(entry.path, "not in a class folder"))
            continue
        paths.append(entry.path)
        names.append(folder.as_posix())
    classes = tuple(sorted(set(names)))
    if len(classes) < 2:
        raise TrainingError(
            f"{root} has {len(classes)} class folders with pictures, at least 2 are needed: "
            "put the pictures of each class into a folder of its own"
        )
    number = {name: index for index, name in enumerate(classes)}
    labels = np.array([number[name] for name in names], dtype=np.int64)
    return LabelledFiles(tuple(paths), labels, classes, tuple(name.split("/")[0] for name in classes), tuple(skipped))


@dataclass(frozen=True, slots=True)
class LabelledPairs:
    """Pairs of files: row i of `pairs` holds two positions in `paths`, `same[i]` says whether they are similar."""

    paths: tuple[str, ...]
    pairs: NDArray[np.int64]
    same: NDArray[np.bool_]


def read_pairs(file: Path, *, convention: str | None = None) -> LabelledPairs:
    """The pairs of a CSV file with the columns `left`, `right` and one that says which are similar.

    Both conventions of the literature are in use: Y = 0 for similar pairs (Hadsell et al. 2006, equation 4) and
    1 for similar ones (Koch et al. 2015). So the column's name decides: 1 means similar under `same` or `similar`,
    and not similar under `different` or `dissimilar`. Under any other name `convention` must say "same" or
    "different". Relative paths start at the file's folder. Raises TrainingError with the line.
    """
    if convention not in (None, "same", "different"):
        raise UsageError(f"no convention {convention!r}; there are same, different")
    position: dict[str, int] = {}
    pairs, same = [], []
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            column, means_same = _convention(file, tuple(reader.fieldnames or ()), convention)
            for left, right, value in _pair_rows(file, reader, column):
                pairs.append([position.setdefault(path, len(position)) for path in (left, right)])
                same.append(value == means_same)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise TrainingError(f"{file}: not a CSV file in UTF-8 that can be read: {error}") from error
    if not any(same) or all(same):
        raise TrainingError(f"{file}: pairs of both kinds are needed, similar and not; found {len(same)} of one kind")
    return LabelledPairs(tuple(position), np.array(pairs, dtype=np.int64), np.array(same, dtype=np.bool_))


def _convention(file: Path, columns: Sequence[str], convention: str | None) -> tuple[str, bool]:
    """The column that holds the answer, and whether 1 in it means similar."""
    missing = [name for name in ("left", "right") if name not in columns]
    if missing:
        raise TrainingError(f"{file}: no column {missing[0]!r}; the columns are {', '.join(columns) or 'none'}")
    named = [name for name in columns if name in SAME_COLUMNS + DIFFERENT_COLUMNS]
    if len(named) == 1:
        return named[0], named[0] in SAME_COLUMNS
    others = [name for name in columns if name not in ("left", "right")]
    if convention is not None and len(others) == 1:
        return others[0], convention == "same"
    raise TrainingError(
        f"{file}: which pairs are similar? Name the column 'same' (1 = similar) or 'different' (1 = not similar), "
        f"or say --convention same|different; the columns are {', '.join(columns)}"
    )


def _pair_rows(file: Path, reader: csv.DictReader[str], column: str) -> Iterator[tuple[str, str, bool]]:
    for row in reader:
        word = (row[column] or "").strip().lower()
        if word not in TRUE_WORDS or not row["left"] or not row["right"]:
            raise TrainingError(
                f"{file}, line {reader.line_num}: left={row['left']!r}, right={row['right']!r}, {column}={word!r}; "
                "two paths and 0 or 1 are needed"
            )
        yield str(file.parent / row["left"]), str(file.parent / row["right"]), TRUE_WORDS[word]


def split_by_content(
    labels: NDArray[np.int64], contents: Sequence[bytes], *, counts: tuple[float, float, float], seed: int
) -> Split:
    """A split in which each class is on all sides and identical contents stay together.

    `counts` are files a class for train, validation and test; numbers below 1 are shares of the class. A class
    uses each content once, so copies add nothing and cannot leak; a content found in two classes is used in the
    first only.
    """
    rng = np.random.default_rng(seed)
    _, first = np.unique(np.array(contents, dtype=object), return_index=True)
    sides: tuple[list[int], list[int], list[int]] = ([], [], [])
    for label in np.unique(labels):
        members = rng.permutation(np.sort(first[labels[first] == label]))
        start = 0
        for side, count in zip(sides, _whole(counts, len(members)), strict=True):
            side.extend(members[start : start + count])
            start += count
    train, validation, test = (np.array(sorted(side), dtype=np.int64) for side in sides)
    return Split(train, validation, test, "content")


def _whole(counts: tuple[float, float, float], available: int) -> list[int]:
    """Whole numbers of files for the three sides, two at least where there are enough; training comes first."""
    asked = [max(2, int(count * available + 0.5)) if 0 < count < 1 else int(count) for count in counts]
    held_out = asked[1] + asked[2] if counts[0] < 1 else 0
    train = max(2, min(asked[0], available - held_out))
    rest = max(0, available - train)
    validation = min(asked[1], rest // 2 if asked[2] else rest)
    return [min(train, available), validation, min(asked[2], rest - validation)]


def split_by_class(
    files: LabelledFiles,
    contents: Sequence[bytes],
    *,
    shares: tuple[float, float],
    test: Sequence[str] = (),
    seed: int,
) -> Split:
    """A split in which no class is on two sides; whole groups move together where groups hold several classes.

    A content that would be on two sides stays on the later one only, so nothing that is tested was trained on.

    `shares` are those of validation and test among the classes (or groups); `test` names the classes or groups
    of the test side instead.
    """
    unit_of = np.array(files.groups if len(set(files.groups)) < len(files.classes) else files.classes)
    units = np.unique(unit_of)
    unknown = sorted(set(test) - set(units))
    if unknown:
        raise TrainingError(f"no class or group {unknown[0]!r} to hold out; there are {', '.join(units[:10])}")
    free = np.random.default_rng(seed).permutation(np.setdiff1d(units, test))
    n_test = 0 if test else max(1, round(shares[1] * len(units)))
    n_validation = max(1, round(shares[0] * len(units)))
    if len(free) - n_test - n_validation < 1:
        raise TrainingError(f"{len(units)} classes are too few to hold some out; use --split content")
    tests = set(test) | set(free[:n_test])
    validations = set(free[n_test : n_test + n_validation])
    side_of_class = np.array([2 if unit in tests else 1 if unit in validations else 0 for unit in unit_of])
    side = side_of_class[files.labels]
    _, content = np.unique(np.array(contents, dtype=object), return_inverse=True)
    last = np.full(content.max() + 1, -1)
    np.maximum.at(last, content, side)
    train, validation, tested = (np.flatnonzero((side == number) & (last[content] == number)) for number in range(3))
    return Split(train, validation, tested, "class")
