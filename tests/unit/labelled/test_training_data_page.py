"""Every form that docs/training-data.md shows is read as the page says."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from simsearch.labelled.columns import ROLE_NAMES
from simsearch.labelled.reading import Labelled, read_labelled

PAGE = (Path(__file__).parents[3] / "docs" / "training-data.md").read_text(encoding="utf-8")
FORM = re.compile(r"^`([\w./]+)`(?: with `([^`]+)`)?:\n\n```\n(.*?)^```", re.MULTILINE | re.DOTALL)
EXPECTED: dict[str, tuple[str, str, int, Any]] = {
    "shapes/": ("image", "classes", 3, {"blue": 1, "red": 2}),
    "alphabets/": ("text", "classes", 3, {"Greek/alpha": 1, "Greek/beta": 1, "Latin/a": 1}),
    "signatures/": ("image", "classes", 6, {"ana/forged": 2, "ana/genuine": 2, "ben/genuine": 2}),
    "photos.csv": ("image", "classes", 2, {"cat": 1, "dog": 1}),
    "intents.csv": ("text", "classes", 2, {"arrival": 1, "payment": 1}),
    "intents.jsonl": ("text", "classes", 3, {"arrival": 2, "payment": 1}),
    "letters.csv": ("text", "classes", 2, {"complaint": 1, "thanks": 1}),
    "pairs.csv": ("image", "pairs", 3, [True, False]),
    "questions.tsv": ("text", "pairs", 3, [True, False]),
    "verified.csv": ("image", "pairs", 3, [True, False]),
    "sentences.csv": ("text", "graded", 4, [1.0, 0.32]),
    "stages.csv": ("image", "graded", 3, [1.0, 0.25]),
    "triplets.csv": ("image", "triplets", 4, [[0, 1, 2], [1, 0, 3]]),
    "holiday/": ("image", "unlabelled", 3, None),
    "stories.txt": ("text", "unlabelled", 3, [0, 0, 1]),
    "notes/": ("text", "unlabelled", 4, [0, 0, 1, 1]),
    "reviews.csv": ("text", "unlabelled", 2, None),
    "sick.txt": ("text", "graded", 4, [0.875, 0.05]),
    "quora.tsv": ("text", "pairs", 3, [True, False]),
    "captions.txt": ("text", "classes", 3, {"1000": 2, "2000": 1}),
}


def options_of(words: str) -> dict[str, Any]:
    """The arguments that an option of the command line stands for."""
    found: dict[str, Any] = {}
    given = iter(shlex.split(words))
    for option in given:
        name = option.removeprefix("--").replace("-", "_")
        found[name] = True if name == "by_line" else next(given)
    if "score_range" in found:
        low, high = map(float, found["score_range"].split(","))
        found["score_range"] = (low, high)
    return found


def written(folder: Path, name: str, content: str) -> Path:
    """What the page shows: a file as it is, or the files of a folder."""
    source = folder / name
    if not name.endswith("/"):
        source.write_text(content, encoding="utf-8")
        for text in re.findall(r"[\w/]+\.(?:txt|md)", content):
            (folder / text).parent.mkdir(exist_ok=True)
            (folder / text).write_text(f"The text of {text}.", encoding="utf-8")
        return source
    for line in content.splitlines():
        (source / line).parent.mkdir(parents=True, exist_ok=True)
        (source / line).write_text(f"Text of {line}.\nIts second line.\n", encoding="utf-8")
    return source


def summary(found: Labelled) -> Any:
    """What is known of the sources, as EXPECTED has it."""
    if found.labels is not None:
        return dict(zip(found.classes, np.bincount(found.labels).tolist(), strict=True))
    for array in (found.same, found.scores, found.triplets, found.documents):
        if array is not None:
            return [pytest.approx(value) for value in array] if array.dtype.kind == "f" else array.tolist()
    return None


def test_the_page_shows_these_forms() -> None:
    assert [name for name, _, _ in FORM.findall(PAGE)] == list(EXPECTED)
    assert PAGE.count("```\n") == 2 * len(EXPECTED) + 1, "a block that is not tested"


@pytest.mark.parametrize(("name", "options", "content"), FORM.findall(PAGE), ids=EXPECTED)
def test_each_form_is_read_as_it_says(tmp_path: Path, name: str, options: str, content: str) -> None:
    found = read_labelled(written(tmp_path, name, content), **options_of(options))
    assert (found.modality, found.kind, len(found.sources), summary(found)) == EXPECTED[name]
    assert found.skipped == ()


def test_groups_and_sides_of_the_page(tmp_path: Path) -> None:
    contents = {name: content for name, _, content in FORM.findall(PAGE)}
    intents = read_labelled(written(tmp_path, "intents.csv", contents["intents.csv"]))
    assert intents.partitions is not None
    assert intents.partitions.tolist() == [0, 2]
    assert intents.group_names == ("ana", "ben")
    assert intents.sources == ("Where is my card?", "I paid twice, why?")
    alphabets = read_labelled(written(tmp_path, "alphabets/", contents["alphabets/"]))
    assert alphabets.groups == ("Greek", "Greek", "Latin")
    letters = read_labelled(written(tmp_path, "letters.csv", contents["letters.csv"]))
    assert letters.sources == ("The text of letters/1.txt.", "The text of letters/2.txt.")


def test_the_table_of_roles_is_the_one_of_the_reader() -> None:
    section = PAGE.partition("## Columns of other names")[2].partition("**A header")[0]
    table = dict(re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|", section, re.MULTILINE))
    shown = {role: tuple(names.split(", ")) for role, names in table.items()}
    assert "| `anchor`, `positive`, `negative` | these |" in PAGE
    assert {**shown, **{role: (role,) for role in ("anchor", "positive", "negative")}} == ROLE_NAMES


def test_the_script_of_the_page_makes_what_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    pairs = {"train": [["hello", "greet"], ["bye", "leave"]], "val": [["hi", "greet"]], "oos_val": [["42", "oos"]]}
    Path("clinc150.json").write_text(json.dumps(pairs), encoding="utf-8")
    script = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)[0]
    exec(compile(script, "training-data.md", "exec"), {})
    found = read_labelled(tmp_path / "clinc150.jsonl")
    assert found.partitions is not None
    assert (found.classes, found.sources, found.partitions.tolist()) == (
        ("greet", "leave"),
        ("hello", "bye", "hi"),
        [0, 0, 1],
    )
