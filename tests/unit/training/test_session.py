"""Training from files to an encoder folder, as a user sees it."""

from __future__ import annotations

import itertools
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME, encoder_folder, read_config
from simsearch.errors import DamagedError, LockedError, TrainingError, UsageError
from simsearch.evaluation.selection import seen_in
from simsearch.evaluation.statistics.probability import SameCurve
from simsearch.progress import Silent
from simsearch.training import Trained, train
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import preset

DrawShape = Callable[..., Path]
QUICK = replace(
    preset("shapes"),
    model=ModelSpec("shapes", 12, 12, 3, 4),
    steps=8,
    evaluate_every=2,
    counts=(0.6, 0.2, 0.2),
    batch_classes=2,
    batch_images=2,
)
REPORT = ["confusion.png", "curves.png", "embedding.png", "pairs.png", "scores.png"]


def quick(source: Path, out: Path, **changes: object) -> Trained:
    return train(source, out, **{"recipe": QUICK, "report": False, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def learned(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The shapes preset, trained in full on three easy classes."""
    return train(shapes, tmp_path_factory.mktemp("learned") / "encoder", recipe="shapes")


def test_the_shapes_preset_learns_shapes(learned: Trained) -> None:
    assert float(str(learned.figures["test_pair_accuracy"])) > 0.9
    assert float(str(learned.figures["test_roc_auc"])) > 0.9
    # 20 of the 60 pictures of each of three classes are for the test.
    assert learned.figures["test_pairs"] == 60 * 59 // 2
    assert learned.figures["test_3_way_1_shot"] == pytest.approx(1.0, abs=0.1)
    assert learned.history[-1]["loss"] < learned.history[0]["loss"]
    assert learned.skipped == ()


def test_the_folder_has_what_it_should_and_no_more(learned: Trained) -> None:
    names = sorted(path.relative_to(learned.folder).as_posix() for path in learned.folder.rglob("*"))
    assert names == sorted([CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME, "report", *(f"report/{name}" for name in REPORT)])
    assert [path.name for path in learned.folder.parent.iterdir()] == ["encoder"]


def test_the_report_is_pictures_that_can_be_seen(learned: Trained) -> None:
    assert [path.name for path in learned.pictures] == REPORT
    for path in learned.pictures:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            picture.load()
            assert min(picture.size) > 100
            assert np.asarray(picture.convert("L")).std() > 1


def test_the_description_records_the_run(learned: Trained) -> None:
    config = read_config(learned.folder)
    assert config == learned.config or config.fingerprint == learned.config.fingerprint
    assert config.name == "encoder"
    assert config.training["seed"] == 0
    assert config.training["inputs"] == [60, 60, 60]
    assert config.training["split_by"] == "content"
    assert config.training["history"] == [dict(row) for row in learned.history]
    assert config.training["steps_taken"] == 116
    assert config.figures["test_pair_accuracy"] == learned.figures["test_pair_accuracy"]


def test_the_scores_of_the_test_pairs_are_in_the_description(learned: Trained) -> None:
    curve = SameCurve.of_document(learned.config.curves["images"])
    assert curve.same_pairs + curve.different_pairs == learned.figures["test_pairs"]
    assert curve.source == "the test items of the training data"


def test_the_encoder_places_new_pictures(learned: Trained, tmp_path: Path, draw_shape: DrawShape) -> None:
    kinds = [("circle", "red"), ("square", "green"), ("triangle", "blue")]
    paths = [draw_shape(tmp_path / f"{kind[0]}{n}.png", *kind, seed=90_000 + n) for kind in kinds for n in range(5)]
    vectors = open_encoder(learned.folder).encode(paths)
    scores = vectors @ vectors.T
    same = np.equal.outer(np.arange(15) // 5, np.arange(15) // 5)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)
    assert scores[same].mean() > scores[~same].mean() + 0.4


def test_a_folder_that_is_there_is_kept(learned: Trained, shapes: Path, tmp_path: Path) -> None:
    before = learned.config.fingerprint
    with pytest.raises(UsageError, match=r"exists; choose another name, or --overwrite"):
        quick(shapes, learned.folder)
    assert read_config(learned.folder).fingerprint == before
    folder = tmp_path / "holiday pictures"
    folder.mkdir()
    with pytest.raises(UsageError, match="exists"):
        quick(shapes, folder, overwrite=True)
    assert folder.is_dir()


@pytest.fixture
def few(tmp_path: Path, draw_shape: DrawShape) -> Path:
    """Two classes of ten pictures."""
    return draw_few(tmp_path / "few", draw_shape)


def draw_few(root: Path, draw_shape: DrawShape, count: int = 10) -> Path:
    for number, (shape, colour) in itertools.product(range(count), (("circle", "red"), ("square", "blue"))):
        draw_shape(root / shape / f"{number}.png", shape, colour, 7000 + 100 * len(shape) + 1000 * number)
    return root


def test_overwriting_replaces_and_bad_pictures_are_skipped_and_listed(
    learned: Trained, few: Path, tmp_path: Path
) -> None:
    out = tmp_path / "encoder"
    shutil.copytree(learned.folder, out)
    (few / "circle" / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (few / "square" / "empty.jpg").write_bytes(b"")
    (few / "square" / "notes.txt").write_text("x")
    (few / "stray.png").write_bytes((few / "circle" / "0.png").read_bytes())
    shutil.copy(few / "circle" / "0.png", few / "circle" / "again.png")
    trained = quick(few, out, overwrite=True)
    assert trained.config.fingerprint != learned.config.fingerprint
    assert sorted(path.name for path in out.iterdir()) == [CONFIG_NAME, ONNX_NAME, WEIGHTS_NAME]
    assert sorted(Path(skip.path).name for skip in trained.skipped) == [
        "broken.png",
        "empty.jpg",
        "notes.txt",
        "stray.png",
    ]
    assert all(skip.reason for skip in trained.skipped)
    assert trained.config.training["copies"] == 1
    assert trained.pictures == ()


CHILD = """
import sys
from dataclasses import replace
from simsearch.progress import Silent
from simsearch.training import train
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.presets import preset

class Blocking(Silent):
    evaluations = 0
    def note(self, text):
        self.evaluations += 1
        if self.evaluations == 3:  # the second checkpoint is there
            print("training", flush=True)
            sys.stdin.read()

quick = replace(
    preset("shapes"), model=ModelSpec("shapes", 12, 12, 3, 4), steps=8, evaluate_every=2, counts=(0.6, 0.2, 0.2),
    batch_classes=2, batch_images=2,
)
train(sys.argv[1], sys.argv[2], recipe=quick, report=False, progress=Blocking())
"""


class Steps(Silent):
    """Remembers what was counted while training."""

    def __init__(self) -> None:
        self.counted: list[int] = []

    def start(self, total: int | None, unit: str, description: str) -> None:
        self.counted = []

    def advance(self, n: int = 1) -> None:
        self.counted.append(n)


def test_a_killed_run_goes_on_and_ends_as_if_nothing_had_been(few: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    command = [sys.executable, "-c", CHILD, str(few), str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "training\n"
        child.kill()
        child.wait(timeout=60)
    assert not out.exists()
    assert (tmp_path / "killed.training" / "checkpoint.pt").exists()
    with pytest.raises(TrainingError, match="other files or settings"):
        quick(few, out, learning_rate=0.5)
    progress = Steps()
    resumed = quick(few, out, progress=progress)
    assert progress.counted == [4, 1, 1, 1, 1]

    damaged = tmp_path / "whole.training" / "checkpoint.pt"
    damaged.parent.mkdir()
    damaged.write_bytes(b"no checkpoint")
    with pytest.raises(DamagedError, match="--restart"):
        quick(few, tmp_path / "whole")
    whole = quick(few, tmp_path / "whole", restart=True)

    one, other = (load_file(trained.folder / WEIGHTS_NAME) for trained in (resumed, whole))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[key], other[key]) for key in one)
    assert resumed.config.fingerprint == whole.config.fingerprint
    assert resumed.history == whole.history
    assert not list(tmp_path.glob("*.training"))


def test_a_file_of_pairs_is_learned_from(few: Path, tmp_path: Path) -> None:
    pictures = sorted(few.rglob("*.png"))
    (few / "circle" / "5.png").write_bytes(b"broken")
    rows = [
        f"{left.relative_to(few).as_posix()},{right.relative_to(few).as_posix()},{int(left.parent != right.parent)}"
        for left, right in itertools.combinations(pictures, 2)
    ]
    file = few / "pairs.csv"
    file.write_text("\n".join(["left,right,different", *rows]))
    trained = quick(file, tmp_path / "out")
    assert [Path(skip.path).name for skip in trained.skipped] == ["5.png"]
    assert sum(trained.config.training["inputs"]) == 19  # type: ignore[arg-type]
    assert "test_pair_accuracy" in trained.figures
    assert trained.config.training["held_out"] == []
    for loss in ("triplet", "classifier"):
        with pytest.raises(UsageError, match=f"Loss '{loss}' does not learn from pairs; those that do: bce"):
            quick(file, tmp_path / "other", loss=loss)


def test_named_classes_are_held_out(tmp_path: Path, draw_shape: DrawShape) -> None:
    kinds = list(itertools.product(("circle", "square", "triangle"), ("red", "green", "blue")))
    for (shape, colour), number in itertools.product(kinds, range(4)):
        draw_shape(tmp_path / "in" / f"{shape} {colour}" / f"{number}.png", shape, colour, 50 * len(colour) + number)
    held = ("circle red", "square blue")
    trained = quick(tmp_path / "in", tmp_path / "out", split="class", test=held)
    training = trained.config.training
    assert training["held_out"] == sorted(held)
    assert training["split_by"] == "class"
    assert training["inputs"] == [20, 8, 8]
    with pytest.raises(TrainingError, match="no class or group 'hexagon'"):
        quick(tmp_path / "in", tmp_path / "out2", split="class", test=("hexagon",))


@pytest.mark.usefixtures("unexported")
def test_classes_that_the_start_has_learned_are_not_held_out(tmp_path: Path, draw_shape: DrawShape) -> None:
    kinds = list(itertools.product(("circle", "square", "triangle"), ("red", "green", "blue")))
    for (shape, colour), number in itertools.product(kinds, range(8)):
        draw_shape(tmp_path / "in" / f"{shape} {colour}" / f"{number}.png", shape, colour, 50 * len(colour) + number)

    def trained(name: str, *test: str, start: str | None = None, split: str = "class") -> Trained:
        place = None if start is None else tmp_path / start
        return quick(tmp_path / "in", tmp_path / name, split=split, test=test, start=place)

    names = {f"{shape} {colour}" for shape, colour in kinds}
    first = trained("first", "circle red", "square blue")
    assert first.config.training["seen_before"] == []
    assert "test_classes_seen_before" not in first.figures
    second = trained("second", "circle red", "triangle green", start="first")
    assert second.config.training["seen_before"] == sorted(names - {"circle red", "square blue"})
    assert second.config.training["held_out"] == ["circle red"]
    assert second.figures["test_classes_seen_before"] == 1
    third = trained("third", "circle red", "square blue", start="second")
    assert third.config.training["seen_before"] == sorted(names - {"circle red"})
    assert third.config.training["held_out"] == ["circle red"]
    # Where contents are divided all classes are learned, and what goes on from that knows it.
    for name, how in (("fourth", {"split": "content"}), ("fifth", {"everything": True})):
        other = quick(tmp_path / "in", tmp_path / name, start=tmp_path / "first", **how)
        assert other.config.training["learned"] == sorted(names)
        last = trained(f"after {name}", "circle red", "square blue", start=name)
        assert last.config.training["seen_before"] == sorted(names)
        assert last.config.training["held_out"] == []
        assert last.figures["test_classes_seen_before"] == 2


def test_encoders_that_ship_name_the_classes_that_they_have_learned() -> None:
    for name, count in (("photo", 1_000), ("glyph", 924)):
        assert len(seen_in(read_config(encoder_folder(name)).training)) == count


@pytest.mark.usefixtures("unexported")
def test_a_whole_group_of_which_classes_were_learned_is_held_out_but_for_these(
    tmp_path: Path, draw_shape: DrawShape
) -> None:
    shapes, colours = ("circle", "square", "triangle"), ("red", "green", "blue")
    for shape, colour, number in itertools.product(shapes, colours, range(4)):
        draw_shape(tmp_path / "in" / shape / colour / f"{number}.png", shape, colour, 50 * len(colour) + number)

    def trained(name: str, split: str, *test: str, start: Path | None = None) -> Trained:
        return quick(tmp_path / "in", tmp_path / name, split=split, test=test, start=start)

    first = trained("first", "class", "circle/red", "square/red")
    second = trained("second", "group", "circle", start=first.folder)
    assert second.config.training["held_out"] == ["circle/red"]
    assert second.figures["test_classes_seen_before"] == 2
    # What learned from a whole group has learned all its classes.
    third = trained("third", "class", "circle/red", "square/red", start=second.folder)
    assert third.config.training["held_out"] == ["circle/red"]


@pytest.mark.parametrize("test", [(), ("c0",)])
def test_a_side_of_a_single_class_is_refused_before_training(
    tmp_path: Path, draw_shape: DrawShape, test: tuple[str, ...]
) -> None:
    """Without two classes there are no different pairs to measure on."""
    for label, number in itertools.product(range(5), range(4)):
        draw_shape(tmp_path / "in" / f"c{label}" / f"{number}.png", "circle", "red", 100 * label + number)
    progress = Steps()
    with pytest.raises(TrainingError, match=r"only one class would be left for .*--split content"):
        quick(tmp_path / "in", tmp_path / "out", split="class", test=test, progress=progress)
    assert len(progress.counted) == 20, "only the reading was counted"


def no_folder(root: Path, draw_shape: DrawShape) -> None:
    del root, draw_shape


def no_classes(root: Path, draw_shape: DrawShape) -> None:
    draw_shape(root / "1.png", "circle", "red", 1)


def one_class(root: Path, draw_shape: DrawShape) -> None:
    for number in range(8):
        draw_shape(root / "circle" / f"{number}.png", "circle", "red", number)


def single_pictures(root: Path, draw_shape: DrawShape) -> None:
    draw_few(root, draw_shape, count=1)


def too_few(root: Path, draw_shape: DrawShape) -> None:
    draw_few(root, draw_shape, count=2)


def all_broken(root: Path, draw_shape: DrawShape) -> None:
    for path in draw_few(root, draw_shape).rglob("*.png"):
        path.write_bytes(b"broken")


IMPOSSIBLE = {
    "does not exist; give a folder": no_folder,
    "0 class folders": no_classes,
    "1 class folders": one_class,
    "none of 2 classes has two different sources to train on": single_pictures,
    r"too few: of 4 .*preset 'shapes' takes 20 \+ 20 \+ 20 of each class": too_few,
    "none of the 20 files can be read": all_broken,
}


@pytest.mark.parametrize("message", IMPOSSIBLE)
def test_files_that_nothing_can_be_learned_from_are_refused(
    tmp_path: Path, draw_shape: DrawShape, message: str
) -> None:
    source = tmp_path / "in"
    IMPOSSIBLE[message](source, draw_shape)
    counts = (20.0, 20.0, 20.0) if "preset" in message else QUICK.counts
    with pytest.raises(TrainingError, match=message):
        quick(source, tmp_path / "out", recipe=replace(QUICK, counts=counts))
    assert not (tmp_path / "out").exists()


def test_classes_with_one_example_are_negatives_and_are_listed(
    few: Path, tmp_path: Path, draw_shape: DrawShape
) -> None:
    draw_shape(few / "alone" / "1.png", "triangle", "green", 1)
    for number in range(8):
        draw_shape(few / "copied" / f"{number}.png", "triangle", "red", 2)
    trained = quick(few, tmp_path / "out")
    record = trained.config.training["split_record"]
    assert isinstance(record, dict)
    assert record["one_example"] == ["alone", "copied"]
    assert set(trained.config.training["learned"]) == {"alone", "circle", "copied", "square"}  # type: ignore[arg-type]


def test_similar_pairs_alone_are_learned_with_in_batch_negatives(tmp_path: Path, draw_shape: DrawShape) -> None:
    rows = []
    for number in range(24):
        shape, colour = ("circle", "square", "triangle")[number % 3], ("red", "green", "blue")[number // 3 % 3]
        pair = [
            draw_shape(tmp_path / f"{number}{side}.png", shape, colour, 50 * number + k) for k, side in enumerate("ab")
        ]
        rows.append(",".join([*(path.name for path in pair), "1"]))
    (tmp_path / "pairs.csv").write_text("\n".join(["left,right,same", *rows]))
    trained = quick(tmp_path / "pairs.csv", tmp_path / "out")
    config = trained.config
    assert (config.training["kind"], config.training["loss"], config.training["split"]) == (
        "classes",
        "infonce",
        "class",
    )
    assert "test_roc_auc" in trained.figures
    assert len(config.training["learned"]) + len(config.training["held_out"]) == 24  # type: ignore[arg-type]


def test_a_folder_that_cannot_be_made_is_refused(few: Path, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    with pytest.raises(UsageError, match="cannot be created"):
        quick(few, tmp_path / "a file" / "out")


def test_two_runs_do_not_share_a_folder(few: Path, tmp_path: Path) -> None:
    work = tmp_path / "out.training"
    work.mkdir()
    with filelock.FileLock(work / "lock"), pytest.raises(LockedError, match="another training run uses"):
        quick(few, tmp_path / "out")


def test_an_unknown_preset_or_loss_is_refused_before_anything_is_made(few: Path, tmp_path: Path) -> None:
    for changes in ({"recipe": "faces"}, {"loss": "hinge"}, {"steps": 0}):
        with pytest.raises(UsageError):
            quick(few, tmp_path / "out", **changes)
    assert not list(tmp_path.glob("out*"))


def test_the_description_is_plain_json(learned: Trained) -> None:
    def refuse(name: str) -> float:
        raise AssertionError(name)

    json.loads((learned.folder / CONFIG_NAME).read_text(encoding="utf-8"), parse_constant=refuse)


def test_everything_holds_no_class_out_and_takes_no_test(few: Path, tmp_path: Path) -> None:
    trained = quick(few, tmp_path / "out", everything=True)
    training = trained.config.training
    assert training["held_out"] == []
    assert training["inputs"] == [16, 4, 0]
    assert not any(name.startswith("test") for name in trained.figures)
    with pytest.raises(UsageError, match="omit 'circle'"):
        quick(few, tmp_path / "other", everything=True, test=("circle",))
    with pytest.raises(UsageError, match="omit 'class'"):
        quick(few, tmp_path / "other", everything=True, split="class")


def test_training_begins_with_the_weights_of_an_encoder(few: Path, tmp_path: Path) -> None:
    first = quick(few, tmp_path / "first")
    still = replace(QUICK, learning_rate=1e-12, steps=1)
    again = quick(few, tmp_path / "again", recipe=still, start=tmp_path / "first")
    before, after = (load_file(tmp_path / name / "weights.safetensors") for name in ("first", "again"))
    assert before.keys() == after.keys()
    for name in before:
        np.testing.assert_allclose(after[name], before[name], atol=1e-9)
    start = again.config.training["start"]
    assert isinstance(start, dict)
    assert start["fingerprint"] == first.config.fingerprint
    assert first.config.training["start"] is None
