"""Distillation: parts against naive sums, and whole runs from a small teacher, also after a kill."""

from __future__ import annotations

import contextlib
import csv
import itertools
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import TOKENIZER_NAME, WEIGHTS_NAME, read_config
from simsearch.encoders.tokens import load_tokens
from simsearch.errors import DamagedError, EncoderError, TrainingError, UsageError
from simsearch.evaluation.statistics.correlation import spearman
from simsearch.labelled.reading import Reading
from simsearch.progress import Silent
from simsearch.training.data.product_codes import CodePairs, synthetic_codes
from simsearch.training.data.tokenization import learned_tokenizer
from simsearch.training.data.vocabulary import smaller_tokenizer, words_of
from simsearch.training.distillation.corpus import read_corpus
from simsearch.training.distillation.loop import BatchOrder, Distilling, Pairs
from simsearch.training.distillation.principal_components import principal_components, project
from simsearch.training.distillation.session import distill
from simsearch.training.distillation.teacher import PART, teacher_embeddings

if TYPE_CHECKING:
    from simsearch.types import Source, Vectors

HOW = Distilling(dim=16, vocabulary=150, codes=32, max_tokens=20, epochs=4, batch=32, evaluate_every=5)
WORDS = ["red", "green", "big", "small", "cat", "dog", "bird", "runs", "sleeps", "sings", "here", "now"]


def sentences(count: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    return [" ".join(rng.choice(WORDS, rng.integers(2, 6))) for _ in range(count)]


@pytest.fixture
def sources(tmp_path: Path, tiny_text: Path) -> tuple[Path, Path]:
    """Lines of text, and pairs graded by the teacher itself."""
    lines, graded = tmp_path / "lines.txt", tmp_path / "graded.csv"
    lines.write_text("\n".join(sentences(150)), encoding="utf-8")
    left, right = sentences(40, 1), sentences(40, 2)
    teacher = open_encoder(tiny_text)
    scores = (teacher.encode(left) * teacher.encode(right)).sum(axis=1)
    with graded.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("s1", "s2", "score"), *zip(left, right, scores.tolist(), strict=True)])
    return lines, graded


class Counting:
    """A teacher that remembers how many texts it was asked about, and can stop."""

    name, fingerprint, modality, dim = "counting", "f" * 16, "text", 6

    def __init__(self, stop_after: int = 1 << 40) -> None:
        self.asked, self.stop_after = 0, stop_after

    def prepare(self, source: Source) -> object:
        raise NotImplementedError

    def embed(self, prepared: object) -> Vectors:
        raise NotImplementedError

    def encode(self, texts: object) -> Vectors:
        if self.asked >= self.stop_after:
            raise KeyboardInterrupt
        assert isinstance(texts, list)
        self.asked += len(texts)
        rows = np.array([[len(text), *map(ord, text[:5].ljust(5))] for text in texts], dtype=np.float32)
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True))


# -- parts ---------------------------------------------------------------------------------------------------------


def test_the_teacher_is_asked_once_for_each_text_also_after_a_stop(tmp_path: Path) -> None:
    texts = [f"{'long ' * (number % 7)}text {number}" for number in range(2 * PART + 100)]
    stopped = Counting(stop_after=PART)
    with pytest.raises(KeyboardInterrupt):
        teacher_embeddings(stopped, texts, tmp_path, Silent())
    resumed = Counting()
    found = teacher_embeddings(resumed, texts, tmp_path, Silent())
    assert resumed.asked == len(texts) - PART
    np.testing.assert_array_equal(found, Counting().encode(texts).astype(np.float16))
    again = Counting()
    np.testing.assert_array_equal(teacher_embeddings(again, texts, tmp_path, Silent()), found)
    assert again.asked == 0
    teacher_embeddings(again, texts[:50], tmp_path, Silent())
    assert again.asked == 50, "other texts have a cache of their own"


def test_a_damaged_cache_is_found(tmp_path: Path) -> None:
    texts = sentences(20)
    teacher_embeddings(Counting(), texts, tmp_path, Silent())
    (path,) = tmp_path.rglob("*.npy")
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(DamagedError, match=r"00000\.npy: damaged .* --restart"):
        teacher_embeddings(Counting(), texts, tmp_path, Silent())
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 6), dtype=np.float16))
    with pytest.raises(DamagedError, match=r"float16 \(3, 6\) instead of \(20, 6\)"):
        teacher_embeddings(Counting(), texts, tmp_path, Silent())


def test_main_directions_keep_the_cosines_of_vectors_that_lie_in_few() -> None:
    rng = np.random.default_rng(0)
    inside = rng.normal(size=(40, 3)) @ np.linalg.qr(rng.normal(size=(8, 3)))[0].T
    vectors = (inside / np.linalg.norm(inside, axis=1, keepdims=True)).astype(np.float16)
    directions = principal_components(vectors, 3)
    assert directions.shape == (8, 3)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-5)
    assert (directions[np.abs(directions).argmax(axis=0), np.arange(3)] > 0).all()
    small = project(vectors, directions)
    exact = vectors.astype(np.float64)
    np.testing.assert_allclose(small @ small.T, exact @ exact.T, atol=5e-3)


def test_a_smaller_vocabulary_keeps_letters_then_what_is_used_then_the_order() -> None:
    texts = ["the cat sat on the mat"] * 20 + ["a mate", "the hat"]
    large = learned_tokenizer(texts, size=80)
    names = sorted(Tokenizer.from_buffer(large).get_vocab())
    plain = {name for name in names if len(name.removeprefix("##")) == 1}
    small = Tokenizer.from_buffer(smaller_tokenizer(large, ["the the the hat"], len(plain) + 5))
    found = words_of(small)
    assert found[:2] == ["<pad>", "<unk>"]
    kept = set(small.get_vocab())
    assert plain < kept and {"the", "hat"} < kept
    assert small.encode("The HAT").tokens == ["the", "hat"]
    assert "".join(token.removeprefix("##") for token in small.encode("mats").tokens) == "mats"
    with pytest.raises(UsageError, match=f"a vocabulary of 9 is too small; give at least {len(plain) + 2}"):
        smaller_tokenizer(large, texts, 9)


def test_only_word_pieces_in_lower_case_are_made_smaller(tiny_text: Path) -> None:
    with pytest.raises(EncoderError, match="not one of word pieces in lower case"):
        smaller_tokenizer((tiny_text / TOKENIZER_NAME).read_bytes(), ["a"], 99)
    with pytest.raises(EncoderError, match=r"not a tokenizer\.json"):
        smaller_tokenizer(b"[]", ["a"], 99)


def test_made_up_codes_and_those_near_them_differ_in_one_sign() -> None:
    codes, near = synthetic_codes(200, seed=3)
    assert (codes, near) == synthetic_codes(200, seed=3)
    for code, other in zip(codes, near, strict=True):
        assert len(code) == len(other)
        assert sum(one != two for one, two in zip(code, other, strict=True)) == 1
        assert any(sign.isdigit() for sign in code)


def test_pairs_with_codes_want_a_share_for_the_code_and_the_rest_for_the_text() -> None:
    cut = {
        code: (100 + number,)
        for number, code in enumerate(dict.fromkeys(itertools.chain(*synthetic_codes(50, seed=0))))
    }
    pairs = CodePairs(lambda code: cut[code], count=50, share=0.4, seed=0)
    ids = [(number,) for number in range(1, 21)]
    vectors = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    seen = set()
    for turn in range(20):
        left, right, wanted = pairs.draw(ids, vectors, np.random.default_rng(turn))
        for row, (one, other, value) in enumerate(zip(left, right, wanted, strict=True)):
            assert one[0] == row + 1
            same_text, same_code = one[0] == other[0], one[1] == other[1]
            seen.add((same_text, same_code))
            cosine = float(vectors[one[0] - 1] @ vectors[other[0] - 1])
            assert value == pytest.approx(0.4 * same_code + 0.6 * cosine, abs=1e-5)
    assert len(seen) == 4


@given(st.integers(1, 200), st.integers(1, 40), st.integers(0, 5))
def test_every_text_comes_once_an_epoch_in_an_order_of_its_own(count: int, size: int, seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 30, count)
    how = replace(HOW, batch=size, seed=seed)
    steps = -(-count // size)
    order = BatchOrder(lengths, how)
    first = [order.batch(step).tolist() for step in range(2 * steps)]
    for epoch in (first[:steps], first[steps:]):
        assert sorted(row for batch in epoch for row in batch) == list(range(count))
        assert max(map(len, epoch)) <= size
    assert BatchOrder(lengths, how).batch(2 * steps - 1).tolist() == first[-1]


def test_material_is_every_text_once_and_pairs_by_number(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one\ntwo\none\n" + "\n".join(f"line {n}" for n in range(9)), encoding="utf-8")
    (tmp_path / "b.csv").write_text("s1,s2,score\ntwo,three,5\none,two,0\n", encoding="utf-8")
    (tmp_path / "c.csv").write_text("s1,s2,same\nfour,one,1\none,two,0\n", encoding="utf-8")
    material = read_corpus([tmp_path / "a.txt", tmp_path / "b.csv", tmp_path / "c.csv"], Reading())
    assert material.texts == ("one", "two", *(f"line {n}" for n in range(9)), "three", "four")

    def named(pairs: Pairs) -> list[tuple[str, str, float]]:
        texts = material.texts
        return [(texts[a], texts[b], float(k)) for (a, b), k in zip(pairs.rows, pairs.known, strict=True)]

    assert named(material.graded) == [("two", "three", 1.0), ("one", "two", 0.0)]
    assert named(material.pairs) == [("four", "one", 1.0), ("one", "two", 0.0)]
    with pytest.raises(TrainingError, match="4 different texts are too few"):
        read_corpus([tmp_path / "c.csv", tmp_path / "b.csv"], Reading())


def test_material_is_read_as_it_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    (folder / "deeper").mkdir(parents=True)
    for number in range(6):
        (folder / f"{number}.txt").write_text(f"note {number}\nits second line", encoding="utf-8")
    (folder / "deeper" / "last.md").write_text("the last", encoding="utf-8")
    (tmp_path / "grades.csv").write_text("three,one,5\none,two,0\nx,y,10\nz,u,1\n", encoding="utf-8")
    (tmp_path / "lines.txt").write_text("a line\nanother", encoding="utf-8")
    sources = [folder, tmp_path / "grades.csv", tmp_path / "lines.txt"]
    material = read_corpus(sources, Reading(columns="left,right,score", score_range=(0, 10)))
    assert set(material.texts) == {
        "the last",
        *(f"note {number}\nits second line" for number in range(6)),
        "one",
        "two",
        "three",
        "x",
        "y",
        "z",
        "u",
        "a line",
        "another",
    }
    assert material.graded.known.tolist() == pytest.approx([0.5, 0.0, 1.0, 0.1])
    (tmp_path / "tabs.txt").write_text("p\tq\t4\nr\ts\t0\nv\tw\t10\n", encoding="utf-8")
    tabs = read_corpus(
        [tmp_path / "lines.txt", tmp_path / "tabs.txt", tmp_path / "grades.csv"],
        Reading(columns="left,right,score", score_range=(0, 10)),
    )
    assert tabs.graded.known.tolist()[:3] == pytest.approx([0.4, 0.0, 1.0])
    assert "its second line" in read_corpus([folder, tmp_path / "lines.txt"], Reading(by_line=True)).texts


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 0}, "dim must be from 1, not 0"),
        ({"codes": -1}, "codes must be from 0, not -1"),
        ({"epochs": 0}, "epochs must be from 1, not 0"),
        ({"vocabulary": 0}, "vocabulary must be from 1, not 0"),
        ({"seed": -1}, "seed must be from 0, not -1"),
        ({"seed": 1 << 63}, "seed must be from 0, not 9223372036854775808"),
    ],
)
def test_settings_without_sense_are_refused_before_anything_is_made(
    change: dict[str, int], message: str, sources: tuple[Path, Path], tiny_text: Path, tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message):
        distill(tiny_text, sources, tmp_path / "out", how=replace(HOW, **change))
    assert sorted(tmp_path.iterdir()) == before


# -- whole runs ----------------------------------------------------------------------------------------------------


def test_a_pupil_agrees_with_its_teacher(sources: tuple[Path, Path], tiny_text: Path, tmp_path: Path) -> None:
    out = tmp_path / "pupil"
    made = distill(tiny_text, sources, out, how=replace(HOW, epochs=40))
    pupil, teacher = open_encoder(out), open_encoder(tiny_text)
    assert (pupil.modality, pupil.dim, pupil.name) == ("text", 16, "pupil")
    left, right = sentences(60, 7), sentences(60, 8)
    own, wanted = ((each.encode(left) * each.encode(right)).sum(axis=1) for each in (pupil, teacher))
    assert spearman(own, wanted) > 0.85
    config = read_config(out)
    assert config.max_tokens == 20 and config.codes == 32
    assert config.training["teacher_fingerprint"] == teacher.fingerprint
    assert config.training["graded_pairs"] == 40
    assert config.training["history"] == [dict(row) for row in made.history]
    assert load_file(out / WEIGHTS_NAME)["trunk.table.rows"].dtype == torch.int8
    assert not out.with_name("pupil.training").exists()
    same, near = (
        pupil.encode(["red cat QX-1200", "red cat qx1200"]),
        pupil.encode(["red cat QX-1200", "red cat QX-1300"]),
    )
    assert same[0] @ same[1] > near[0] @ near[1] + 0.1


CHILD = """
import os, signal, sys
from dataclasses import replace
import torch
import simsearch.training.distillation.loop as loop
from simsearch.training.distillation.session import distill
torch.set_num_threads(1)
teacher, lines, graded, out = sys.argv[1:]
save, saved = loop.save_checkpoint, []
def killing(path, state):
    save(path, state)
    saved.append(state["step"])
    if len(saved) == 2:
        os.kill(os.getpid(), signal.SIGKILL)
loop.save_checkpoint = killing
how = loop.Distilling(dim=16, vocabulary=150, codes=32, max_tokens=20, epochs=4, batch=32, evaluate_every=5)
distill(teacher, [lines, graded], out, validation=graded, how=how)
"""


class Stopped(Exception):
    """Carries the encoder that was to be exported."""


def stop(encoder: nn.Module, *_: object, **__: object) -> None:
    raise Stopped(encoder.state_dict())


def unexported(teacher: Path, sources: tuple[Path, Path], out: Path, **changes: Any) -> dict[str, torch.Tensor]:
    """The weights at the end of a run, which stays unfinished: an export takes seconds."""
    with torch_threads(1), pytest.raises(Stopped) as caught:
        distill(teacher, sources, out, validation=sources[1], **changes)
    weights: dict[str, torch.Tensor] = caught.value.args[0]
    return weights


@contextlib.contextmanager
def torch_threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def test_a_killed_run_goes_on_to_the_same_weights(
    sources: tuple[Path, Path], tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [sys.executable, "-c", CHILD, tiny_text, *sources, tmp_path / "killed"]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert (tmp_path / "killed.training" / "checkpoint.pt").exists()
    monkeypatch.setattr("simsearch.training.distillation.session.export_encoder", stop)
    # What the teacher said is kept, so it is not asked again.
    monkeypatch.setattr("simsearch.encoders.text.OnnxTextEncoder.encode", None)
    killed = unexported(tiny_text, sources, tmp_path / "killed", how=HOW)
    monkeypatch.undo()
    monkeypatch.setattr("simsearch.training.distillation.session.export_encoder", stop)
    whole = unexported(tiny_text, sources, tmp_path / "whole", how=HOW)
    assert whole.keys() == killed.keys()
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_a_run_with_other_settings_does_not_go_on(
    sources: tuple[Path, Path], tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "pupil"
    monkeypatch.setattr("simsearch.training.distillation.session.export_encoder", stop)
    first = unexported(tiny_text, sources, out, how=HOW)
    with pytest.raises(TrainingError, match="belongs to a run with other files or settings"):
        distill(tiny_text, sources, out, validation=sources[1], how=replace(HOW, seed=1))
    other = unexported(tiny_text, sources, out, how=replace(HOW, seed=1), restart=True)
    assert not torch.equal(first["trunk.table.rows"], other["trunk.table.rows"])
    assert not out.exists()


def test_what_cannot_be_distilled_is_refused(
    sources: tuple[Path, Path], tiny_text: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "pupil"
    with pytest.raises(UsageError, match="is an encoder of images with dimension 24; it must encode texts"):
        distill(tiny, sources, out, how=HOW)
    with pytest.raises(
        UsageError,
        match="is an encoder of texts with dimension 32; it must encode texts with a dimension of at least 33",
    ):
        distill(tiny_text, sources, out, how=replace(HOW, dim=33))
    with pytest.raises(TrainingError, match="holds unlabelled, but validation needs graded pairs"):
        distill(tiny_text, sources, out, how=HOW, validation=sources[0])
    with pytest.raises(EncoderError, match="tiny-text: the tokenizer is not one of word pieces"):
        distill(tiny_text, sources, out, how=HOW, tokenizer=tiny_text)
    out.mkdir()
    with pytest.raises(UsageError, match="exists; choose another name"):
        distill(tiny_text, sources, out, how=HOW, overwrite=True)


def test_the_command_distils_and_says_so(
    sources: tuple[Path, Path], tiny_text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from simsearch.cli import cli

    out = tmp_path / "pupil"
    words = [
        "distill",
        tiny_text,
        *sources,
        "-o",
        out,
        "--validate",
        sources[1],
        "--dim",
        8,
        "--vocabulary",
        120,
        "--codes",
        16,
        "--epochs",
        1,
        "--quiet",
        "--json",
    ]
    cli.main([str(word) for word in words], standalone_mode=False)
    record = json.loads(capsys.readouterr().out)
    assert record["folder"] == str(out) and record["fingerprint"] == read_config(out).fingerprint
    assert record["validation"] == read_config(out).figures["validation"]
    tokenizer = (out / TOKENIZER_NAME).read_bytes()
    size = Tokenizer.from_buffer(tokenizer).get_vocab_size()
    assert size <= 120
    load_tokens(tokenizer, "it", max_tokens=9, vocabulary=size)
    shutil.rmtree(out)
