"""The documents are true: links, commands, Python, and the reference that is written from --help."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image

import simsearch
from simsearch.cli import COMMANDS, cli
from simsearch.cli.upkeep import SHOWN_FARS
from simsearch.encoders.folder import bundled_names, encoder_folder, read_config
from simsearch.evaluation.results import shown_threshold
from simsearch.evaluation.statistics.probability import SameCurve

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
GUIDE = ROOT / "docs" / "guide.md"
RECOGNITION = ROOT / "docs" / "recognition.md"


def loaded(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_command_reference_is_what_help_says() -> None:
    page = loaded(ROOT / "docs" / "generate_commands.py").page()
    assert (ROOT / "docs" / "commands.md").read_text(encoding="utf-8") == page
    assert [line for line in page.splitlines() if line.startswith("## simsearch ")] == [
        f"## simsearch {name}" for name in COMMANDS
    ]


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of a language in a page."""
    return re.findall(rf"^```{language}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to the headings."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", prose, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES])
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path) if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


def commands(page: Path) -> list[list[str]]:
    """The words after `simsearch` in each command of a page's shell blocks."""
    shell = [block for language in ("sh", "bash", "console") for block in blocks(page, language)]
    lines = "\n".join(shell).splitlines()
    found = (re.match(r"(?:\$ )?(?:[A-Z_]+=\S+ )?simsearch +((?:\"[^\"]*\"|'[^']*'|[^|>#])*)", line) for line in lines)
    return [shlex.split(match[1]) for match in found if match]


def accepted(words: Sequence[str]) -> str:
    """The name of the command, after its own parser has taken the other words."""
    context = click.Context(cli, info_name="simsearch", **cli.context_settings)
    name, command, rest = cli.resolve_command(context, list(words))
    assert name is not None and command is not None
    command.make_context(name, rest, parent=context)
    return name


def test_the_commands_in_the_documents_are_accepted() -> None:
    used = {accepted(words) for page in PAGES for words in commands(page)}
    assert used == set(COMMANDS)
    with pytest.raises(click.NoSuchOption):
        accepted(["query", "photo.jpg", "--no-such-option"])


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """A folder of images with the names that the guide uses, all different."""
    names = [
        "photo",
        "other",
        "ana1",
        "ana2",
        "ana3",
        "bela",
        "bela2",
        "who",
        "stranger1",
        "strangers/1",
        "strangers/2",
        "strangers/3",
    ]
    for number, name in enumerate([*names, "gallery/cat", "gallery/old/bird", "gallery/red/1", "people/Cy/1"]):
        path = tmp_path / f"{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = np.random.default_rng(number).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((80, 60), Image.Resampling.BICUBIC).save(path, quality=90)
    return tmp_path


def calls_of_train(source: str) -> list[ast.Call]:
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) == "simsearch.train"]


def test_the_python_of_the_guide_runs(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(pictures)
    with simsearch.Collection.create("indexes/photos", encoder="photo") as collection:
        collection.enroll("Ana", ["ana1.jpg", "ana2.jpg"])
        collection.enroll("Bela", ["bela.jpg"])
    names: dict[str, Any] = {}
    for page in (RECOGNITION, GUIDE):
        for source in blocks(page, "python"):
            if not calls_of_train(source):
                exec(compile(source, page.name, "exec"), names)
    assert names["calibrated"].calibration.threshold.impostors == 3
    assert names["ids"].shape == names["scores"].shape == (100, 10)
    assert names["ids"][:, 0].tolist() == list(range(1, 101))
    assert names["report"].added == 3
    assert [len(found) for found in names["answers"]] == [3, 3]
    assert capsys.readouterr().out.endswith("\n2 2\n")


def test_the_call_of_train_in_the_guide_fits_its_signature() -> None:
    (call,) = [call for source in blocks(GUIDE, "python") for call in calls_of_train(source)]
    values = {keyword.arg or "": ast.literal_eval(keyword.value) for keyword in call.keywords}
    bound = inspect.signature(simsearch.train).bind(*map(ast.literal_eval, call.args), **values)
    assert bound.arguments["source"] == "labelled"


def given_thresholds(words: Sequence[str]) -> list[str]:
    """The thresholds in the words of a command that recognizes."""
    flags = [place for place, word in enumerate(words) if word in ("-t", "--threshold")]
    return [words[place + 1] for place in flags] if words[:1] == ["recognize"] else []


def test_no_document_invents_a_threshold() -> None:
    """Each number is an operating point that `info` prints of a bundled encoder."""
    measured = {
        shown_threshold(score)
        for name in bundled_names()
        for curve in read_config(encoder_folder(name)).curves.values()
        for score, *_ in SameCurve.of_document(curve).operating_points(SHOWN_FARS)  # type: ignore[arg-type]
    }
    for page in PAGES:
        for words in commands(page):
            assert set(given_thresholds(words)) <= measured, (page.name, words)
        for block in blocks(page, "python"):
            assert not re.search(r"recognize\w*\([^)]*threshold=[\d.]", block), (page.name, block)
