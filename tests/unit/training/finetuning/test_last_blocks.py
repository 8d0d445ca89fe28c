from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from simsearch.encoders import open_encoder
from simsearch.encoders.converting.intermediate import features_and_maps
from simsearch.encoders.head import HeadEncoder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.media.images import Picture
from simsearch.progress import Silent
from simsearch.training import head_run, head_work, last_blocks, session
from simsearch.training.data.inputs import Arrays, Views
from simsearch.training.finetuning import heads
from simsearch.training.finetuning.freezing import TrainedLayers
from simsearch.training.finetuning.heads import cached_views
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.finetuning.interpolation import clearly_better
from simsearch.training.finishing import Trained
from simsearch.training.last_blocks import LAST_BLOCKS, block_of, fresh_features, whole_encoder
from simsearch.training.presets import HEAD
from simsearch.training.session import train

DrawShape = Callable[..., None]
MINUTES = 3.0
"""So many that the most steps that are worth it are made: the weights do not depend on the pace of the machine."""


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory, draw_shape: DrawShape) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    for color in ("red", "green", "blue"):
        for number in range(8):
            draw_shape(root / color / f"{number}.png", "circle", color, 10 * len(color) + number)
    return root


@pytest.fixture
def few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_work, "HIDDEN", 16)
    monkeypatch.setattr("simsearch.training.configuration.HEAD", replace(HEAD, steps=10))


@pytest.fixture
def head_recognizes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of the two rankings that a run compares, that of the head alone, counts as one without any hit."""
    real, calls = last_blocks.average_precisions, []

    def average_precisions(*given: Any) -> Any:
        calls.append(real(*given))
        return np.zeros_like(calls[-1]) if len(calls) % 2 else calls[-1]

    monkeypatch.setattr(last_blocks, "average_precisions", average_precisions)


def minutes(source: Path, out: Path, **how: Any) -> Trained:
    return train(source, out, start="photo", minutes=MINUTES, report=False, seed=3, **how)


def photo() -> OnnxEncoder:
    encoder = open_encoder("photo")
    assert isinstance(encoder, OnnxEncoder)
    return encoder


def pictures(count: int) -> list[Picture]:
    pixels = np.random.default_rng(0).integers(0, 255, (count, 224, 224, 3), dtype=np.uint8)
    return [Picture(each, 224, 224) for each in pixels]


def test_maps_are_those_that_the_block_takes_in_torch() -> None:
    encoder = load_initial_encoder("photo").encoder.eval()
    block = block_of(encoder)
    run = features_and_maps(photo(), block or 0)
    assert run is not None
    some = pictures(3)
    features, maps = run(some)
    with torch.no_grad():
        prepared = encoder.standardized(encoder.prepare(torch.from_numpy(np.stack([each.pixels for each in some]))))
        expected = encoder.trunk[:block](prepared)  # type: ignore[index]
        tail = encoder.trunk[block:](torch.from_numpy(maps))  # type: ignore[index]
    np.testing.assert_allclose(maps, expected.numpy(), atol=2e-3)
    np.testing.assert_allclose(features, photo().features(some), atol=1e-5)
    np.testing.assert_allclose(features, tail.numpy(), atol=2e-3)


def test_a_graph_without_that_layer_gives_no_maps() -> None:
    assert features_and_maps(photo(), 99) is None
    glyph = open_encoder("glyph")
    assert isinstance(glyph, OnnxEncoder)
    assert features_and_maps(glyph, 3) is None
    assert block_of(load_initial_encoder("glyph").encoder) is None


@pytest.mark.slow
def test_last_blocks_that_do_better_make_a_whole_encoder(
    shapes: Path, tmp_path: Path, few_steps: None, head_recognizes_nothing: None
) -> None:
    made = minutes(shapes, tmp_path / "whole")
    start = made.config.training["start"]
    assert isinstance(start, dict)
    assert (start["freeze"], start["depths_compared"]) == ("part", {"head": 0.0, "last_blocks": 1.0})
    assert (made.config.base, made.config.dim) == (None, 384)
    encoder = open_encoder(made.folder)
    assert type(encoder) is OnnxEncoder
    files = sorted(map(str, shapes.rglob("*.png")))
    labels = np.array([Path(file).parent.name for file in files])
    scores = encoder.encode(files) @ encoder.encode(files).T
    np.fill_diagonal(scores, -1)
    assert (labels[scores.argmax(axis=1)] == labels).all()
    # It gives features of its own, which the blocks before those that learned did not change.
    before, after = load_initial_encoder("photo").encoder.trunk, load_initial_encoder(str(made.folder)).encoder.trunk
    changed = [
        any(not torch.equal(mine, theirs) for mine, theirs in zip(one.parameters(), other.parameters(), strict=True))
        for one, other in zip(before.children(), after.children(), strict=True)
    ]
    assert changed == [False] * (len(changed) - LAST_BLOCKS) + [True] * LAST_BLOCKS
    assert encoder.features(pictures(2)).shape == (2, 1280)


@pytest.mark.slow
def test_the_same_minutes_give_the_same_whole_encoder(
    shapes: Path, tmp_path: Path, few_steps: None, head_recognizes_nothing: None
) -> None:
    one, other = minutes(shapes, tmp_path / "one"), minutes(shapes, tmp_path / "other")
    assert (one.folder / "encoder.onnx").read_bytes() == (other.folder / "encoder.onnx").read_bytes()


@pytest.mark.slow
def test_last_blocks_that_do_no_better_leave_a_head(shapes: Path, tmp_path: Path, few_steps: None) -> None:
    made = minutes(shapes, tmp_path / "head")
    assert isinstance(open_encoder(made.folder), HeadEncoder)
    assert made.figures["validation"] == 1.0


@pytest.mark.slow
@pytest.mark.parametrize("how", [{"freeze": "all"}, {"everything": True, "changes": None}])
def test_a_head_alone_is_learned_where_it_is_asked_for(
    how: dict[str, Any], shapes: Path, tmp_path: Path, few_steps: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "everything" in how:
        # Three classes of eight leave no validation items at one in twenty.
        real = session.configure
        monkeypatch.setattr(
            session, "configure", lambda *given, **more: replace(real(*given, **more), counts=(1, 0, 0))
        )
    monkeypatch.setattr(head_run, "with_last_blocks", lambda *_, **__: pytest.fail("the last blocks were fine-tuned"))
    assert minutes(shapes, tmp_path / "head", **how).config.base is not None


def test_a_tail_and_its_whole_encoder_are_one_network() -> None:
    encoder = load_initial_encoder("photo").encoder.eval()
    tail = TrainedLayers(encoder.trunk[-LAST_BLOCKS:], encoder.head)  # type: ignore[index]
    whole = whole_encoder(encoder, tail)
    run = features_and_maps(photo(), block_of(encoder) or 0)
    assert run is not None
    some = pictures(2)
    with torch.no_grad():
        expected = whole(torch.from_numpy(np.stack([each.pixels for each in some])))
        found = tail(torch.from_numpy(run(some)[1]))
        next(iter(tail.parameters())).zero_()
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    assert not next(iter(list(whole.trunk.children())[-LAST_BLOCKS].parameters())).any()


def test_maps_are_cached_for_the_views_that_they_have_room_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = Arrays(np.stack([each.pixels for each in pictures(3)]))
    block = block_of(load_initial_encoder("photo").encoder)
    bytes_of_a_map = 2 * 192 * 7 * 7
    monkeypatch.setattr(heads, "MOST_MAPS", 2 * 3 * bytes_of_a_map)

    def cached(name: str, seconds: float | None, block: int | None = block) -> heads.Cached:
        return cached_views(photo(), inputs, HEAD, tmp_path / name, seconds, Silent(), block=block)

    made = cached("one.npy", 3_600.0)
    assert made.maps is not None
    assert (made.features.rows.shape, made.maps.rows.shape) == ((3, 5, 1280), (3, 2, 192, 7, 7))
    tail = TrainedLayers(load_initial_encoder("photo").encoder.trunk[block:], torch.nn.Identity())  # type: ignore[index]
    np.testing.assert_allclose(
        fresh_features(tail, made.maps).rows, made.features.rows[:, :2].astype(np.float32), atol=0.05
    )
    again = cached("one.npy", 0.0)
    assert again.maps is not None
    np.testing.assert_array_equal(again.maps.rows, made.maps.rows)
    np.testing.assert_array_equal(cached("two.npy", None).features.rows, made.features.rows)
    assert cached("two.npy", 3_600.0).maps is None, "the first run had no maps, so that its steps stay the same"
    assert cached("three.npy", 3_600.0, None).maps is None
    monkeypatch.setattr(heads, "LEAST_SECONDS", 4_000.0)
    assert cached("four.npy", 3_600.0).maps is None


def test_fresh_features_are_of_the_first_views() -> None:
    maps = Views(np.random.default_rng(0).normal(size=(5, 3, 2, 1, 1)).astype(np.float16))
    found = fresh_features(TrainedLayers(torch.nn.Flatten(), torch.nn.Identity()), maps)
    np.testing.assert_array_equal(found.rows, maps.rows[:, :2, :, 0, 0])


def test_a_gain_counts_if_it_is_more_than_the_standard_error_of_the_pairs() -> None:
    before = np.array([0.1, 0.9, 0.5, 0.7])
    assert clearly_better(before, before + np.array([0.02, 0.01, 0.02, 0.01]))
    assert not clearly_better(before, before + np.array([0.3, -0.2, 0.1, -0.1]))
    assert not clearly_better(before, before)
