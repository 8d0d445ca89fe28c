"""One record holds the settings of a run: Python, the command line and the documentation agree on it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import click
import pytest

from simsearch.cli.learning.training import train_command
from simsearch.errors import UsageError
from simsearch.labelled.reading import Reading
from simsearch.labelled.splits import BY
from simsearch.media.images import FITS
from simsearch.training import Changes
from simsearch.training.losses.table import DISTANCES
from simsearch.training.recipes import AUGMENTATIONS, OPTIMIZERS, PRECISIONS
from simsearch.training.settings import SETTINGS, in_group, parse_settings, replacement

PAGE = Path(__file__).parents[3] / "docs" / "training.md"


def test_the_record_has_every_field_of_changes_and_reading() -> None:
    groups = {group: {s.name for s in SETTINGS if s.group == group} for group in ("changes", "reading", "run")}
    assert groups["changes"] == {field.name for field in fields(Changes)}
    assert groups["reading"] == {field.name for field in fields(Reading)}
    assert groups["run"] == {"half"}
    assert len({setting.name for setting in SETTINGS}) == len(SETTINGS)


def test_the_values_of_the_record_are_those_that_python_takes() -> None:
    forms = {setting.name: tuple(setting.form.split("|")) for setting in SETTINGS}
    expected = {
        "fit": FITS,
        "split": BY,
        "augmentation": AUGMENTATIONS,
        "optimizer": OPTIMIZERS,
        "precision": PRECISIONS,
        "distance": DISTANCES,
    }
    assert {name: forms[name] for name in expected} == {name: tuple(values) for name, values in expected.items()}


def test_the_command_has_an_option_for_each_setting_that_says_so_and_few_in_all() -> None:
    options = {parameter.name for parameter in train_command.params if isinstance(parameter, click.Option)}
    assert {setting.name for setting in SETTINGS if setting.option} == options & {setting.name for setting in SETTINGS}
    assert len(options) + len(["--help"]) <= 25


def test_the_page_on_training_shows_the_record() -> None:
    shown = PAGE.read_text(encoding="utf-8").partition("## Settings")[2]
    rows = []
    for setting in SETTINGS:
        values = setting.form.replace("|", r" \| ")
        rows.append(f"| `{setting.name}`{'*' if setting.option else ''} | {values} | {setting.help} |")
    assert [line for line in shown.splitlines() if line.startswith("| `")] == rows


def test_values_have_the_type_that_python_takes() -> None:
    texts = [
        "margin=soft",
        "memory=64",
        "cosine_decay=false",
        "counts=0.8,0.1,0.1",
        "score_range=0,5",
        "half=true",
        "label_until==",
        "scale=8",
        "exclude=*_small.jpg|/drafts/",
    ]
    values = parse_settings(texts)
    assert in_group(values, "changes") == {
        "margin": "soft",
        "memory": 64,
        "cosine_decay": False,
        "counts": (0.8, 0.1, 0.1),
        "scale": 8.0,
    }
    assert in_group(values, "reading") == {
        "score_range": (0.0, 5.0),
        "label_until": "=",
        "exclude": ("*_small.jpg", "/drafts/"),
    }
    assert in_group(values, "run") == {"half": True}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["margin"], "--set takes KEY=VALUE, not 'margin'"),
        (["colour=red"], "No setting 'colour'; there are kind, modality"),
        (["seed=1", "seed=2"], "setting seed is given twice"),
        (["memory=many"], "memory must be N, not 'many'"),
        (["margin=hard"], r"margin must be NUMBER\|soft, not 'hard'"),
        (["half=yes"], r"half must be true\|false, not 'yes'"),
        (["counts=0.8,0.2"], "counts must be TRAIN,VALIDATION,TEST, not '0.8,0.2'"),
        (["score_range=0,nan"], "score_range must be LOW,HIGH, not '0,nan'"),
        (["distance=l1"], r"distance must be l2\|squared\|cosine, not 'l1'"),
    ],
)
def test_settings_without_sense_are_refused(texts: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_settings(texts)


@pytest.mark.parametrize(
    ("option", "setting"),
    [
        ("--margin", "margin=NUMBER|soft"),
        ("--shares", "counts=TRAIN,VALIDATION,TEST"),
        ("--constant", "cosine_decay=false"),
        ("--half", "half=true"),
        ("--loss", None),
        ("--nope", None),
    ],
)
def test_an_option_that_became_a_setting_has_a_replacement(option: str, setting: str | None) -> None:
    assert replacement(option) == setting
