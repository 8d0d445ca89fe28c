"""The encoder that a run goes on from where nobody has named one."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from simsearch.encoders.folder import WEIGHTS_NAME
from simsearch.errors import TrainingError, UsageError
from simsearch.evaluation.statistics.correlation import spearman
from simsearch.labelled.reading import Reading, read_labelled
from simsearch.labelled.splits import Split
from simsearch.progress import Silent
from simsearch.training import Changes, Trained, session, train
from simsearch.training.configuration import configure
from simsearch.training.data.dataset import Dataset
from simsearch.training.data.inputs import Arrays
from simsearch.training.data.partition import Partition
from simsearch.training.finetuning import selection
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.finetuning.selection import CANDIDATES, LEAST_OF_A_CLASS, MOST, compare_encoders
from simsearch.training.finishing import Run
from simsearch.training.networks.specification import TextSpec
from simsearch.training.presets import GLYPH
from simsearch.training.processes import open_processes
from simsearch.training.session import best_initial_run

if TYPE_CHECKING:
    from simsearch.types import Vectors

NONE = np.array([], dtype=np.int64)


class Known:
    """Encoders that say of each source, the number of its row, what they were given for it, and keep what was asked."""

    def __init__(self) -> None:
        self.vectors: dict[str, Vectors] = {}
        self.asked: list[list[int]] = []

    def open(self, name: str) -> Known:
        self.current = self.vectors[name]
        return self

    def encode(self, sources: Sequence[str]) -> Vectors:
        rows = [int(source) for source in sources]
        self.asked.append(rows)
        return self.current[rows]


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> Known:
    made = Known()
    monkeypatch.setattr(selection, "open_encoder", made.open)
    return made


def dataset(train: Partition, count: int) -> Dataset:
    """Of `count` inputs, all of which but those of the training side are for the test."""
    others = Partition(np.setdiff1d(np.arange(count), train.rows))
    split = Split(train.rows, NONE, others.rows, "content")
    sources = tuple(str(row) for row in range(count))
    inputs = Arrays(np.zeros((count, 1), dtype=np.float32))
    return Dataset("classes", "image", inputs, sources, train, Partition(NONE), others, (), split, "", 0, ())


def turned(angles: NDArray[np.float64]) -> Vectors:
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


PAIRS = np.array([[0, 1], [2, 3]])
ANGLES = np.random.default_rng(0).uniform(0, np.pi, 60)


def test_classes_are_judged_by_the_nearest(known: Known) -> None:
    # Rows 0 to 19 are held out, and would say otherwise.
    labels = np.repeat([4, 1, 9, 7], 10)
    side = Partition(np.arange(20, 60), labels)
    known.vectors["a"] = turned(ANGLES)
    products = known.vectors["a"][20:] @ known.vectors["a"][20:].T
    np.fill_diagonal(products, -np.inf)
    expected = float(np.mean(labels[products.argmax(axis=1)] == labels))
    found = compare_encoders({"a": "crop"}, dataset(side, 60), 0, Silent())
    assert found == {"a": pytest.approx(expected)}
    assert 0 < expected < 1
    assert [sorted(rows) for rows in known.asked] == [list(range(20, 60))]


def test_pairs_grades_and_triplets_are_judged_by_their_order(known: Known) -> None:
    known.vectors["a"] = turned(ANGLES)
    rows, rng = np.arange(10, 60), np.random.default_rng(1)
    pairs = rng.integers(0, 50, (40, 2))
    scores = np.einsum("ij,ij->i", *(known.vectors["a"][rows[pairs[:, place]]] for place in (0, 1)))
    same, grades = rng.random(40) < 0.4, rng.random(40).astype(np.float32)
    wins = [1.0 if a > b else 0.5 * (a == b) for a in scores[same] for b in scores[~same]]
    triplets = rng.integers(0, 50, (40, 3))
    anchors, near, far = (known.vectors["a"][rows[triplets[:, place]]] for place in range(3))
    in_order = np.mean((anchors * near).sum(axis=1) > (anchors * far).sum(axis=1))
    for side, expected in (
        (Partition(rows, pairs=pairs, same=same), np.mean(wins)),
        (Partition(rows, pairs=pairs, scores=grades), spearman(scores, grades)),
        (Partition(rows, triplets=triplets), in_order),
    ):
        assert compare_encoders({"a": "crop"}, dataset(side, 60), 0, Silent()) == {
            "a": pytest.approx(float(expected), abs=1e-6)
        }


def test_scores_that_are_all_equal_know_nothing(known: Known) -> None:
    known.vectors["a"] = turned(np.zeros(4))
    graded = Partition(np.arange(4), pairs=PAIRS, scores=np.array([0.2, 0.9], dtype=np.float32))
    assert compare_encoders({"a": "crop"}, dataset(graded, 4), 0, Silent()) == {"a": 0.0}


def test_a_large_side_is_asked_in_part(known: Known) -> None:
    count = 40_000
    known.vectors["a"] = turned(np.random.default_rng(2).uniform(0, np.pi, count))
    labels = np.concatenate([np.repeat(np.arange(300), 100), np.arange(1_000, 11_000)])
    side = Partition(np.arange(count), labels)
    for _ in range(2):
        compare_encoders({"a": "crop"}, dataset(side, count), 5, Silent())
    compare_encoders({"a": "crop"}, dataset(side, count), 6, Silent())
    first, again, other = known.asked
    assert first == again
    assert sorted(first) != sorted(other)
    classes, sizes = np.unique(labels[first], return_counts=True)
    # Classes of one input have no mate to find.
    assert classes.max() < 300
    assert set(sizes) == {LEAST_OF_A_CLASS}
    assert len(first) == MOST
    pairs = np.stack([np.arange(count), np.roll(np.arange(count), 1)], axis=1)
    compare_encoders(
        {"a": "crop"}, dataset(Partition(np.arange(count), pairs=pairs, same=pairs[:, 0] % 2 == 0), count), 0, Silent()
    )
    assert MOST < len(known.asked[-1]) <= 2 * MOST


def test_of_few_classes_more_is_asked(known: Known) -> None:
    count = 9_000
    known.vectors["a"] = turned(np.random.default_rng(2).uniform(0, np.pi, count))
    labels = np.repeat([0, 1], count // 2)
    compare_encoders({"a": "crop"}, dataset(Partition(np.arange(count), labels), count), 0, Silent())
    assert np.bincount(labels[known.asked[0]]).tolist() == [MOST // 2, MOST // 2]


def test_rare_pairs_of_a_kind_are_asked_all_the_same(known: Known) -> None:
    count = 20_000
    known.vectors["a"] = turned(np.random.default_rng(2).uniform(0, np.pi, count))
    pairs = np.arange(count).reshape(-1, 2)
    same = np.arange(len(pairs)) >= len(pairs) - 3
    found = compare_encoders(
        {"a": "crop"}, dataset(Partition(np.arange(count), pairs=pairs, same=same), count), 0, Silent()
    )
    assert 0 <= found["a"] <= 1
    assert set(range(count - 6, count)) < set(known.asked[0])
    assert len(known.asked[0]) == 2 * (MOST // 2 + 3)


def test_pictures_are_fitted_as_the_run_wants_them(tmp_path: Path) -> None:
    paths = []
    for number, left in enumerate((0, 0, 150, 150)):
        picture = Image.new("RGB", (200, 50), (250, 245, 240))
        ImageDraw.Draw(picture).rectangle([left, number, left + 40, 50], fill=(200, 30, 30))
        paths.append(str(tmp_path / f"{number}.png"))
        picture.save(paths[-1])
    side = Partition(
        np.arange(4), pairs=np.array([[0, 1], [2, 3], [0, 2], [1, 3]]), same=np.array([1, 1, 0, 0], dtype=bool)
    )
    data = replace(dataset(side, 4), sources=tuple(paths))
    # The middle shows none of them.
    assert compare_encoders({"photo": "crop"}, data, 0, Silent()) == {"photo": 0.5}
    assert compare_encoders({"photo": "squash"}, data, 0, Silent()) == {"photo": 1.0}


@pytest.mark.parametrize(
    "side",
    [
        Partition(np.arange(4)),
        Partition(np.arange(4), np.zeros(4, dtype=np.int64)),
        Partition(np.arange(4), np.arange(4)),
        Partition(np.arange(4), pairs=PAIRS, same=np.array([True, True])),
        Partition(np.arange(4), pairs=PAIRS, scores=np.array([0.5, 0.5], dtype=np.float32)),
    ],
)
def test_what_tells_nothing_apart_compares_nothing(known: Known, side: Partition) -> None:
    known.vectors["a"] = turned(ANGLES[:4])
    assert compare_encoders({"a": "crop"}, dataset(side, 4), 0, Silent()) == {}
    assert known.asked == []


@pytest.mark.parametrize(("figures", "chosen"), [((0.2, 0.9), 1), ((0.9, 0.2), 0), ((0.5, 0.5), 0), ((), 0)])
def test_the_best_is_taken_and_the_first_of_equals(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, figures: Sequence[float], chosen: int
) -> None:
    runs = [
        Run(GLYPH, tmp_path, tmp_path, load_initial_encoder(name), "none", None, False, False, open_processes())
        for name in CANDIDATES["image"]
    ]
    found = dict(zip(CANDIDATES["image"], figures, strict=False))
    monkeypatch.setattr(session, "compare_encoders", lambda *_: found)
    best = best_initial_run(runs, dataset(Partition(np.arange(4)), 4))
    assert best.start is runs[chosen].start
    assert best.encoders_compared == found


def test_processes_take_what_the_first_of_them_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    class Second(type(open_processes())):  # type: ignore[misc]
        def broadcast(self, value: float) -> float:
            assert value == 0.0
            return 1.0

    runs = [
        Run(GLYPH, tmp_path, tmp_path, load_initial_encoder(name), "none", None, False, False, Second())
        for name in CANDIDATES["image"]
    ]
    monkeypatch.setattr(session, "compare_encoders", lambda *_: {"photo": 0.9, "glyph": 0.1})
    assert best_initial_run(runs, dataset(Partition(np.arange(4)), 4)).start is runs[1].start


def test_a_run_knows_what_its_start_has_learned(tmp_path: Path) -> None:
    start = load_initial_encoder("glyph")
    assert len(start.seen) > 900
    assert not start.seen & {"Korean/character01", "Tifinagh/character10"}
    for began, seen in ((None, frozenset()), (start, start.seen)):
        run = Run(GLYPH, tmp_path, tmp_path, began, "none", None, False, False, open_processes())
        assert run.seen_before == seen


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six signs, each drawn seven times by an unsteady hand, small, anywhere on a page."""
    root = tmp_path_factory.mktemp("signs")
    rng = np.random.default_rng(3)
    corners = np.array([(0, 0), (0, 18), (18, 0), (18, 18), (9, 9)])
    for sign, again in itertools.product(range(6), range(7)):
        picture = Image.new("L", (90, 90), "white")
        strokes = np.random.default_rng(sign).permutation(5)[:4]
        points = corners[strokes] + rng.normal(0, 1.5, (4, 2)) + rng.integers(10, 60, 2)
        ImageDraw.Draw(picture).line([tuple(point) for point in points.tolist()], fill="black", width=2)
        (root / str(sign)).mkdir(exist_ok=True)
        picture.save(root / str(sign) / f"{again}.png")
    return root


def going_on(source: Path, out: Path, **changes: object) -> Trained:
    return train(source, out, **{"steps": 2, "report": False, "half": True, **changes})  # type: ignore[arg-type]


@pytest.mark.usefixtures("unexported")
def test_drawings_go_on_from_glyph(signs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # These few straight lines are told apart by strokes as well.
    monkeypatch.setitem(CANDIDATES, "image", ("photo", "glyph"))  # type: ignore[arg-type]
    chosen = going_on(signs, tmp_path / "chosen")
    named = going_on(signs, tmp_path / "named", start="glyph")
    start = chosen.config.training["start"]
    assert isinstance(start, dict)
    assert start["encoder"] == "glyph"
    compared = start["encoders_compared"]
    assert isinstance(compared, dict)
    assert list(compared) == ["photo", "glyph"]
    assert 0 <= float(str(compared["photo"])) < float(str(compared["glyph"])) <= 1
    assert chosen.config.training["name"] == "onward"
    assert chosen.config.width == 32
    assert (chosen.folder / WEIGHTS_NAME).read_bytes() == (named.folder / WEIGHTS_NAME).read_bytes()
    assert named.config.training["start"] == start | {"encoders_compared": {}}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["chosen", "named"]


@pytest.mark.usefixtures("unexported")
def test_what_the_first_encoder_cannot_see_another_goes_on_from_when_it_is_named(signs: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide"
    for path in signs.glob("*/*.png"):
        page = Image.new("L", (400, 90), "white")
        page.paste(Image.open(path))
        (wide / path.parent.name).mkdir(parents=True, exist_ok=True)
        page.save(wide / path.parent.name / path.name)
    with pytest.raises(TrainingError, match="classes are left to train on"):
        going_on(wide, tmp_path / "cropped")
    start = going_on(wide, tmp_path / "out", start="glyph").config.training["start"]
    assert isinstance(start, dict)
    assert start["encoder"] == "glyph"


@pytest.fixture(scope="module")
def shades(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five colours of a blurred ground, six times each."""
    root = tmp_path_factory.mktemp("shades")
    rng = np.random.default_rng(4)
    for number, again in itertools.product(range(5), range(6)):
        colour = np.random.default_rng(number).integers(30, 220, 3)
        ground = colour + rng.normal(0, 25, (6, 6, 1))
        (root / str(number)).mkdir(exist_ok=True)
        small = Image.fromarray(np.clip(ground, 0, 255).astype(np.uint8))
        small.resize((80, 80), Image.Resampling.BICUBIC).save(root / str(number) / f"{again}.png")
    return root


@pytest.mark.usefixtures("unexported")
def test_what_has_colours_goes_on_from_photo_and_layers_may_stay(shades: Path, tmp_path: Path) -> None:
    trained = going_on(shades, tmp_path / "out", freeze="all")
    start = trained.config.training["start"]
    assert isinstance(start, dict)
    assert (start["encoder"], start["freeze"]) == ("photo", "all")
    assert trained.config.base is not None and trained.config.base.name == "photo"


@pytest.mark.usefixtures("unexported")
def test_without_labels_the_first_is_taken_unseen(shades: Path, tmp_path: Path) -> None:
    trained = going_on(shades, tmp_path / "out", reading=Reading(kind="unlabelled"))
    start = trained.config.training["start"]
    assert isinstance(start, dict)
    assert (start["encoder"], start["encoders_compared"]) == ("photo", {})


@pytest.mark.usefixtures("unexported")
def test_texts_go_on_from_text(tmp_path: Path) -> None:
    table = tmp_path / "texts.csv"
    table.write_text(
        "text,label\n" + "".join(f"number {number} of {number % 3} kinds,{number % 3}\n" for number in range(40))
    )
    trained = going_on(table, tmp_path / "out", changes=Changes(start_share=0.5))
    start = trained.config.training["start"]
    assert isinstance(start, dict)
    assert (start["encoder"], start["encoders_compared"]) == ("text", {})
    assert trained.config.training["start_share"] == 0.5


def test_a_preset_begins_with_nothing(shades: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--freeze all needs an initial encoder: .*--from, or omit --preset"):
        going_on(shades, tmp_path / "out", recipe="backbone", freeze="all")
    with pytest.raises(UsageError, match=r"start_share 0.5 needs an initial encoder"):
        going_on(shades, tmp_path / "out", recipe="backbone", changes=Changes(start_share=0.5))


def test_a_network_goes_on_at_the_pace_that_suits_its_kind(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("one\ntwo\n")
    labelled = read_labelled(tmp_path / "notes.txt", kind="unlabelled", modality="text", by_line=True)
    start = load_initial_encoder("text")
    assert isinstance(start.spec, TextSpec)

    def pace(kind: str, freeze: str = "none", **wanted: float) -> tuple[str, float, float]:
        began = replace(start, spec=replace(start.spec, kind=kind))
        given = Changes(augmentation="none") if freeze == "all" else Changes(**wanted)
        classes = replace(labelled, kind="classes") if freeze == "all" else labelled
        recipe = configure(None, given, classes, began, freeze)
        return recipe.optimizer, recipe.learning_rate, recipe.weight_decay

    assert pace("pretrained") == ("adamw", 3e-5, 1e-2)
    assert pace("pretrained", learning_rate=1e-4) == ("adamw", 1e-4, 1e-2)
    assert pace("transformer") == ("adamw", 5e-4, 1e-2)
    assert pace("recurrent") == ("adamw", 2e-3, 1e-2)
    assert pace("bag") == pace("pretrained", "all") == ("adam", 3e-3, 0.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (Changes(margin=0.7), "Loss 'bce' has no margin"),
        (Changes(temperature=0.7), "Loss 'bce' has no temperature"),
        (Changes(miner="none-such"), "No miner 'none-such'"),
    ],
)
def test_a_setting_that_the_loss_does_not_have_is_refused(tmp_path: Path, changes: Changes, message: str) -> None:
    table = tmp_path / "pairs.csv"
    table.write_text("left,right,same\n" + "".join(f"one {row},two {row},{row % 2}\n" for row in range(12)))
    with pytest.raises(UsageError, match=message):
        going_on(table, tmp_path / "out", changes=changes)
    # At once: nothing was begun.
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]
