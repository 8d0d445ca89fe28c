"""docs/evaluation.md is true: its Python runs, its tables name every protocol and figure as the command does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from simsearch.evaluation.evaluate import DEFAULTS
from simsearch.evaluation.judging import KINDS_OF
from simsearch.evaluation.results import figure_name

PAGE = (Path(__file__).parents[3] / "docs" / "evaluation.md").read_text(encoding="utf-8")
NAMES = [
    "roc_auc",
    "average_precision",
    "eer",
    "tar@far=0.001",
    "accuracy",
    "recall@10",
    "map@r",
    "r_precision",
    "mrr",
    "ndcg@10",
    "spearman",
    "pearson",
    "20-way 1-shot",
]


def test_the_python_runs() -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.M | re.S)
    names: dict[str, Any] = {}
    exec(compile(source, "evaluation.md", "exec"), names)
    found = names["metrics"].verification_figures(names["scores"], names["same"], threshold=0.5, seed=0)["accuracy"]
    assert found.value == 0.5 and found.low <= 0.5 <= found.high


def test_every_protocol_and_its_material_are_told() -> None:
    rows = dict(re.findall(r"^\| `([\w-]+)` \| ([^|]+) \|", PAGE, re.M))
    assert set(rows) == set(KINDS_OF)
    told = {"classes": "classes", "pairs": "pairs", "graded": "graded pairs", "triplets": "triplets"}
    for protocol, kinds in KINDS_OF.items():
        assert all(told[kind] in rows[protocol] for kind in kinds)
    assert {protocol for defaults in DEFAULTS.values() for protocol in defaults} == set(KINDS_OF) - {"runs", "open-set"}


@pytest.mark.parametrize("name", NAMES)
def test_figures_are_named_as_the_command_names_them(name: str) -> None:
    assert re.search(rf"^  {re.escape(figure_name(name))} +[\d.]+ \[[\d.]+, [\d.]+\]", PAGE, re.M)
