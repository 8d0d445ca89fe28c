"""How much of its start a run keeps: what its classes want, within a standard error."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from simsearch.evaluation.protocols import episodes
from simsearch.labelled.splits import Split
from simsearch.progress import Silent
from simsearch.training.data.dataset import Dataset
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.partition import Partition
from simsearch.training.finetuning import interpolation
from simsearch.training.finetuning.interpolation import (
    WEIGHTS,
    interpolate_weights,
    interpolated,
    one_standard_error_rule,
    ranking_precision,
    validation_accuracy,
)
from simsearch.training.measure import embed_rows
from simsearch.training.networks.encoder import Network, unit_rows
from simsearch.training.presets import preset

NONE = np.array([], dtype=np.int64)
RECIPE = preset("backbone")


class Scaled(Network):
    """Inputs of two numbers, each multiplied by a weight of its own."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.tensor(weights))
        self.register_buffer("seen", torch.tensor(7))

    def prepare(self, inputs: Tensor) -> Tensor:
        return inputs

    def embed(self, prepared: Tensor) -> Tensor:
        return unit_rows(prepared * self.weights)


def dataset(points: Sequence[tuple[float, float]], labels: Sequence[int], validation: int, by: str) -> Dataset:
    """The first points are trained on, the last `validation` of them are held out."""
    rows, classes = np.arange(len(points)), np.array(labels)
    cut = len(points) - validation
    sides = [Partition(part, classes[part]) for part in (rows[:cut], rows[cut:], NONE)]
    split = Split(rows[:cut], rows[cut:], NONE, by)
    inputs = Arrays(np.array(points, dtype=np.float32))
    return Dataset("classes", "image", inputs, (), *sides, ("a", "b"), split, "", 0, ())


def kept(
    data: Dataset, start: Network, learned: Network, **changes: object
) -> tuple[interpolation.Interpolation, Tensor]:
    recipe = replace(RECIPE, **changes)  # type: ignore[arg-type]
    found = interpolate_weights(learned, start.state_dict(), learned, data, recipe, Silent())
    return found, learned.state_dict()["weights"]


# The first number tells the classes apart, the second hides it.
KNOWN = [(1.0, 1.0), (-1.0, -1.0)]
ASKING = [(1.0, 3.0), (1.0, -5.0), (-1.0, 4.0), (-1.0, 4.5)] * 10
ASKED = [0, 0, 1, 1] * 10


@pytest.mark.parametrize(
    ("start", "learned", "share"),
    [
        ((0.0, 1.0), (0.1, 0.0), 0.0),
        ((0.0, 1.0), (1.0, 0.0), 0.25),
        ((0.0, 1.0), (4.0, 0.0), 0.5),
        ((1.0, 0.0), (0.0, 1.0), 0.75),
        ((1.0, 0.0), (1.0, 0.0), 0.75),
    ],
)
def test_the_start_is_kept_as_far_as_held_out_inputs_are_recognised(
    start: tuple[float, float], learned: tuple[float, float], share: float
) -> None:
    def recognised(kept: float) -> float:
        weights = [kept * old + (1 - kept) * new for old, new in zip(start, learned, strict=True)]
        right = 0
        for (x, y), label in zip(ASKING, ASKED, strict=True):
            scores = [a * x * weights[0] ** 2 + b * y * weights[1] ** 2 for a, b in KNOWN]
            right += int(np.argmax(scores) == label)
        return right / len(ASKING)

    data = dataset([*KNOWN, *ASKING], [0, 1, *ASKED], len(ASKING), "given")
    found, weights = kept(data, Scaled(*start), Scaled(*learned))
    assert found.compared == pytest.approx({each: recognised(each) for each in WEIGHTS})
    assert found.weight == share
    torch.testing.assert_close(weights, share * torch.tensor(start) + (1 - share) * torch.tensor(learned))


@pytest.mark.parametrize("by", ["class", "group", "given"])
def test_unseen_classes_choose_where_there_are_some(by: str) -> None:
    # The classes that were learned ask for what the start has: nothing of the first number.
    learned_from, unseen = [(1.0, 3.0), (1.0, -3.0)] * 5, [(1.0, 3.0), (1.0, -3.0), (-1.0, 3.0), (-1.0, -3.0)] * 5
    data = dataset([*learned_from, *unseen], [0, 1] * 5 + [2, 2, 3, 3] * 5, len(unseen), by)
    found, _ = kept(data, Scaled(0.0, 1.0), Scaled(0.1, 0.0))
    assert (found.weight, found.compared[0.0]) == (0.0, 1.0)
    assert max(found.compared[share] for share in WEIGHTS[1:]) < 0.8
    found, _ = kept(data, Scaled(1.0, 0.0), Scaled(0.0, 1.0))
    assert (found.weight, found.compared[0.0] < 0.8) == (0.75, True)


@pytest.mark.parametrize("by", ["content", "class"])
def test_accuracies_come_with_their_standard_errors(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[float, tuple[float, float]] = {}

    def remembered(measured: dict[float, tuple[float, float]]) -> float:
        seen.update(measured)
        return 0.0

    monkeypatch.setattr(interpolation, "one_standard_error_rule", remembered)
    labels = [0, 1, *ASKED] if by == "content" else [2, 3, *ASKED]
    data = dataset([*KNOWN, *ASKING], labels, len(ASKING), by)
    kept(data, Scaled(0.0, 1.0), Scaled(1.0, 0.0))
    accuracy, error = seen[0.75]
    assert 0 < accuracy < 1
    if by == "content":
        share = (accuracy * 40 + 2) / 44
        assert error == pytest.approx((share * (1 - share) / 44) ** 0.5)
    else:
        vectors = embed_rows(Scaled(0.25, 0.75).eval(), data.inputs, data.validation.rows)
        expected = episodes(vectors, np.array(ASKED), ways=2, shots=1, queries=1, count=2_000, seed=RECIPE.seed)
        assert (accuracy, error) == pytest.approx((expected.accuracy, expected.half_width / 1.959964))


@pytest.mark.parametrize(("validation", "by"), [(0, "content"), (0, "class"), (2, "class"), (2, "given")])
def test_most_of_the_start_is_kept_where_nothing_can_be_recognised(validation: int, by: str) -> None:
    """There is nothing to ask with, or what there is belongs to one class."""
    data = dataset([*KNOWN, *ASKING], [0, 1, *ASKED[:-2], 2, 2], validation, by)
    found, weights = kept(data, Scaled(0.0, 1.0), Scaled(1.0, 0.0))
    assert (found.weight, found.compared) == (0.75, {})
    torch.testing.assert_close(weights, torch.tensor([0.25, 0.75]))


def test_a_share_that_is_given_is_kept_without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interpolation, "embed_rows", None)
    data = dataset([*KNOWN, *ASKING], [0, 1, *ASKED], len(ASKING), "content")
    found, weights = kept(data, Scaled(1.0, 0.0), Scaled(0.0, 4.0), start_share=0.3)
    assert (found.weight, found.compared) == (0.3, {})
    torch.testing.assert_close(weights, torch.tensor([0.3, 2.8]))


def test_few_of_many_inputs_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[np.ndarray] = []

    def counted(network: Network, inputs: Arrays, rows: np.ndarray) -> np.ndarray:
        asked.append(rows)
        return embed_rows(network, inputs, rows)

    monkeypatch.setattr(interpolation, "embed_rows", counted)
    monkeypatch.setattr(interpolation, "MOST_QUERIES", 7)
    monkeypatch.setattr(interpolation, "MOST_GALLERY", 11)
    data = dataset(ASKING, ASKED, 20, "content")
    kept(data, Scaled(1.0, 0.0), Scaled(0.0, 1.0))
    assert [len(rows) for rows in asked] == [7, 11] * len(WEIGHTS)
    assert [set(rows) for rows in asked] == [set(asked[0]), set(asked[1])] * len(WEIGHTS)
    assert (len(set(asked[0])), len(set(asked[1]))) == (7, 11)
    assert set(asked[0]) <= set(range(20, 40))
    assert set(asked[1]) <= set(range(20))


@given(
    st.dictionaries(
        st.sampled_from([0.0, 0.25, 0.5, 0.75]), st.tuples(st.integers(0, 8), st.integers(0, 4)), min_size=1
    )
)
def test_the_largest_within_a_standard_error_of_the_best(eighths: dict[float, tuple[int, int]]) -> None:
    measured = {share: (accuracy / 8, error / 8) for share, (accuracy, error) in eighths.items()}
    chosen = one_standard_error_rule(measured)
    best = max(accuracy for accuracy, _ in measured.values())
    # Of shares that are equally good the one with the larger error counts.
    least = best - max(error for accuracy, error in measured.values() if accuracy == best)
    assert measured[chosen][0] >= least
    assert all(accuracy < least for share, (accuracy, _) in measured.items() if share > chosen)


def test_whole_numbers_are_those_that_were_learned() -> None:
    start, learned = Scaled(0.0, 0.0).state_dict(), Scaled(2.0, 4.0).state_dict()
    learned["seen"] = torch.tensor(9)
    made = interpolated(start, learned, 0.25)
    torch.testing.assert_close(made["weights"], torch.tensor([1.5, 3.0]))
    assert made["seen"].item() == 9


def test_ranking_precision_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    points = [(float(x), float(y)) for x, y in rng.normal(size=(60, 2))]
    labels = [int(each) for each in rng.integers(0, 3, 60)]
    labels[-1] = 9
    data = dataset(points, labels, 20, "content")
    network = Scaled(1.0, 0.3)
    scores = embed_rows(network, data.inputs, np.arange(40, 60)) @ embed_rows(network, data.inputs, np.arange(40)).T
    each = [
        average_precision_score(np.array(labels[:40]) == labels[40 + row], scores[row])
        for row in range(19)  # The last is of a class that was not learned.
    ]
    found = ranking_precision(network, data, RECIPE)
    assert found == pytest.approx((np.mean(each), np.std(each) / np.sqrt(len(each))))


def test_ranking_precision_of_other_classes_is_their_one_shot_accuracy() -> None:
    data = dataset([*KNOWN, *ASKING], [0, 1, *(2 + each for each in ASKED)], len(ASKING), "class")
    network = Scaled(1.0, 0.3)
    assert ranking_precision(network, data, RECIPE) == validation_accuracy(network, data, RECIPE)
