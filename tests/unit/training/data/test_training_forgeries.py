from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw
from torch import nn

from simsearch.encoders import open_encoder
from simsearch.evaluation.metrics import equal_error_rate, roc_auc
from simsearch.labelled.forgeries import writers_of
from simsearch.labelled.reading import read_labelled
from simsearch.training import Changes, Trained, train
from simsearch.training.configuration import chosen_freeze, configure
from simsearch.training.data.forgeries import (
    auc_of_writers,
    forgery_figures,
    genuine_only,
    some_writers,
    with_forgeries,
    writer_pairs,
)
from simsearch.training.data.partition import Partition
from simsearch.training.data.sampling import ForgerySampler, make_sampler
from simsearch.training.finetuning.heads import NO_CLASS, wccn_projection
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.losses.functional import supervised_contrastive
from simsearch.training.measure import one_shot, row_products, scored_pairs
from simsearch.training.presets import GLYPH

CLASSES = ("a/forged", "a/genuine", "b/forged", "b/genuine", "c/forged", "c/genuine")


def signed() -> Partition:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(6), 5))
    return with_forgeries(Partition(np.arange(100, 130), labels, labels // 2), writers_of(CLASSES))


def cosines() -> tuple[Partition, np.ndarray, np.ndarray, np.ndarray]:  # type: ignore[type-arg]
    side = signed()
    vectors = np.random.default_rng(1).normal(size=(30, 8)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return side, vectors, *writer_pairs(side)


def test_the_pairs_are_those_of_one_writer_with_a_genuine_one() -> None:
    side = signed()
    assert side.labels is not None
    pairs, same = writer_pairs(side)
    expected = set()
    for one, other in itertools.combinations(range(30), 2):
        kinds = [CLASSES[side.labels[place]] for place in (one, other)]
        if kinds[0][0] == kinds[1][0] and "genuine" in (kinds[0][2:], kinds[1][2:]):
            expected.add((frozenset((one, other)), kinds[0] == kinds[1]))
    assert {(frozenset(pair), kind) for pair, kind in zip(pairs.tolist(), same.tolist(), strict=True)} == expected
    assert len(pairs) == len(expected) == 3 * (10 + 25)


def test_error_rates_are_those_of_a_loop_over_writers() -> None:
    side, vectors, pairs, same = cosines()
    assert side.labels is not None
    scores = row_products(vectors, pairs)
    every, own, areas = ([], []), [], []
    for writer in range(3):
        found: tuple[list[float], list[bool]] = ([], [])
        for one, other in itertools.combinations(range(30), 2):
            labels = sorted((int(side.labels[one]), int(side.labels[other])))
            if labels[0] // 2 == labels[1] // 2 == writer and labels[1] % 2:
                found[0].append(float(vectors[one] @ vectors[other]))
                found[1].append(labels[0] == labels[1])
        own.append(equal_error_rate(np.array(found[0]), np.array(found[1])))
        areas.append(roc_auc(np.array(found[0]), np.array(found[1])))
        every[0].extend(found[0])
        every[1].extend(found[1])
    figures = forgery_figures(side, pairs, scores, same)
    assert figures["forgery_equal_error_rate"] == pytest.approx(
        equal_error_rate(np.array(every[0]), np.array(every[1]))
    )
    assert figures["forgery_equal_error_rate_by_writer"] == pytest.approx(np.mean(own))
    assert auc_of_writers(side, pairs, scores, same) == pytest.approx(areas)
    np.testing.assert_array_equal(scored_pairs(side, vectors, 0)[1], scores)


def test_a_forgery_is_nobody_s_mate_and_comes_with_its_writer() -> None:
    side = signed()
    assert side.labels is not None
    kinds = {row: CLASSES[label] for row, label in zip(side.rows.tolist(), side.labels.tolist(), strict=True)}
    sampler = ForgerySampler(side, classes=2, images=6, seed=0)
    for step in range(20):
        batch = sampler.batch(step)
        assert batch.labels is not None
        drawn = [kinds[row] for row in batch.rows.tolist()]
        assert len(set(batch.rows.tolist())) == len(batch.rows) == 12
        for (one, own), (other, theirs) in itertools.combinations(zip(drawn, batch.labels, strict=True), 2):
            assert (own == theirs) == (one == other and one.endswith("genuine"))
        for writer in {kind[0] for kind in drawn}:
            assert drawn.count(f"{writer}/genuine") == drawn.count(f"{writer}/forged") == 3
        np.testing.assert_array_equal(batch.rows, sampler.batch(step).rows)


def test_the_contrastive_loss_counts_forgeries_as_strangers_alone() -> None:
    batch = ForgerySampler(signed(), classes=3, images=6, seed=0).batch(0)
    assert batch.labels is not None
    rng = torch.Generator().manual_seed(0)
    vectors = nn.functional.normalize(torch.randn(len(batch.rows), 5, generator=rng), dim=1)
    found = float(supervised_contrastive(vectors, torch.from_numpy(batch.labels)))
    losses = []
    for anchor, label in enumerate(batch.labels):
        mates = [place for place, other in enumerate(batch.labels) if other == label and place != anchor]
        if mates:
            others = torch.stack([vectors[anchor] @ vectors[o] for o in range(len(vectors)) if o != anchor]) / 0.1
            shares = [others.logsumexp(0) - vectors[anchor] @ vectors[mate] / 0.1 for mate in mates]
            losses.append(float(torch.stack(shares).mean()))
    assert len(losses) == 9
    assert found == pytest.approx(np.mean(losses), rel=1e-5)


def test_a_loss_with_directions_learns_from_genuine_ones_alone() -> None:
    side = signed()
    batch = make_sampler(side, replace(GLYPH, loss="classifier", batch_classes=6)).batch(0)
    assert batch.labels is not None
    assert set(batch.labels.tolist()) == {0, 1, 2}
    assert set(batch.rows.tolist()) <= set(genuine_only(side).rows.tolist())
    assert isinstance(make_sampler(side, replace(GLYPH, loss="infonce")), ForgerySampler)


def test_recognition_is_among_the_genuine() -> None:
    side, vectors, *_ = cosines()
    result = one_shot(side, vectors, most_ways=5, seed=0)
    assert result is not None
    assert result.ways == 3


def test_whole_writers_are_asked_when_encoders_are_compared() -> None:
    side = signed()
    some = some_writers(side, 11, np.random.default_rng(0))
    assert some.writers is not None
    assert [*np.unique(some.writers, return_counts=True)[1]] == [10, 10]
    assert set(some.rows.tolist()) < set(side.rows.tolist())
    assert len(some_writers(side, 1_000, np.random.default_rng(0))) == 30


def test_a_side_without_pairs_of_both_kinds_knows_no_forgeries() -> None:
    labels = np.array([0, 1, 3, 3])
    assert with_forgeries(Partition(np.arange(4), labels), writers_of(CLASSES)).forged is None
    assert with_forgeries(Partition(np.arange(4), labels), None).forged is None


def test_what_varies_within_forgeries_is_not_weakened() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2, NO_CLASS], 50)
    features = rng.normal(size=(200, 3)) + rng.normal(size=(4, 3))[labels] * 3
    features[labels == NO_CLASS] *= (1.0, 1.0, 20.0)
    linear = wccn_projection(features.astype(np.float32), labels, 3, 0.5, standardized=True)
    scaled = features / features.std(axis=0)
    genuine = labels >= 0
    means = np.stack([scaled[labels == number].mean(axis=0) for number in range(3)])
    values, vectors = np.linalg.eigh(np.cov((scaled[genuine] - means[labels[genuine]]).T, bias=True))
    expected = (scaled - scaled.mean(axis=0)) @ (vectors * (values + values.mean()) ** -0.5) @ vectors.T
    with torch.no_grad():
        found = linear(torch.from_numpy(features.astype(np.float32))).numpy()
    norm = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found, expected)]
    np.testing.assert_allclose(norm[0] @ norm[0].T, norm[1] @ norm[1].T, atol=1e-4)


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten writers, each with a line of their own in thin ink, and the same in a thicker and shakier hand."""
    root = tmp_path_factory.mktemp("signatures")
    rng = np.random.default_rng(0)
    for writer in range(10):
        line = np.stack([np.linspace(20, 180, 9), np.random.default_rng(writer).uniform(20, 80, 9)], axis=1)
        for kind, shake, width in (("genuine", 1.5, 1), ("forged", 4.0, 2)):
            (root / f"w{writer}" / kind).mkdir(parents=True)
            for number in range(4):
                picture = Image.new("L", (200, 100), "white")
                points = (line + rng.normal(0, shake, line.shape)).round(1)
                ImageDraw.Draw(picture).line([tuple(p) for p in points.tolist()], fill="black", width=width)
                picture.save(root / f"w{writer}" / kind / f"{number}.png")
    return root


@pytest.fixture(scope="module")
def learned(signatures: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    out = tmp_path_factory.mktemp("out") / "mine"
    return train(signatures, out, start="strokes", seed=1)


@pytest.mark.slow
def test_whole_writers_are_held_out_and_judged_by_their_forgeries(learned: Trained) -> None:
    training, figures = learned.config.training, learned.figures
    assert training["split_by"] == "group"
    record = training["split_record"]
    assert isinstance(record, dict)
    sides = [set(record[name]["groups"]) for name in ("train", "validation", "test")]  # type: ignore[index,call-overload,arg-type]
    assert [len(side) for side in sides] == [6, 2, 2]
    assert len(set.union(*sides)) == 10
    assert figures["test_pairs"] == 2 * (6 + 16)
    for name in ("test_forgery_equal_error_rate", "test_forgery_equal_error_rate_by_writer"):
        value = figures[name]
        assert isinstance(value, float)
        assert 0 <= value < 0.5
    validation = figures["validation"]
    assert isinstance(validation, float)
    assert validation > 0.5
    assert training["start_share"] == 1.0


@pytest.mark.slow
def test_the_head_is_the_linear_map_alone(learned: Trained, signatures: Path) -> None:
    head = load_initial_encoder(str(learned.folder)).encoder.head
    assert isinstance(head, nn.Linear)
    assert (head.in_features, head.out_features) == (2304, 512)
    assert open_encoder(learned.folder).encode([str(next(signatures.rglob("*.png")))]).shape == (1, 512)


@pytest.mark.slow
def test_with_everything_no_writer_is_held_out(signatures: Path, tmp_path: Path) -> None:
    made = train(signatures, tmp_path / "out", start="strokes", everything=True, report=False)
    assert made.config.training["split_by"] == "content"
    assert made.config.training["held_out"] == []


@pytest.mark.slow
def test_a_loss_that_is_asked_for_has_its_half(signatures: Path, tmp_path: Path) -> None:
    made = train(signatures, tmp_path / "out", start="strokes", loss="triplet", steps=3, report=False)
    assert made.config.model["hidden"] == 256
    assert made.config.model["linear"] == 384
    start = made.config.training["start"]
    assert isinstance(start, dict)
    assert len(start["shares_compared"]) == 6  # type: ignore[arg-type]


def test_the_recipe_suits_forgeries_unless_something_else_is_asked_for(signatures: Path) -> None:
    labelled, start = read_labelled(signatures), load_initial_encoder("strokes")
    found = configure(None, Changes(), labelled, start, chosen_freeze(None, start))
    assert (found.split, found.loss, found.halves, found.augmentation) == (
        "group",
        "supervised-contrastive",
        (512, 0),
        "none",
    )
    wanted = Changes(split="content", loss="classifier", augmentation="drawing")
    found = configure(None, wanted, labelled, start, chosen_freeze(None, start))
    assert (found.split, found.loss, found.halves, found.augmentation) == (
        "content",
        "classifier",
        (384, 128),
        "drawing",
    )
