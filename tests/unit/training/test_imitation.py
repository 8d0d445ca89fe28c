"""A small network that learns to say of pictures what another encoder says."""

from __future__ import annotations

import io
import itertools
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.numpy import load_file

from simsearch.encoders.folder import WEIGHTS_NAME, read_config
from simsearch.errors import DamagedError, TrainingError, UsageError
from simsearch.training import Changes, Reading, Trained, train
from simsearch.training.augment import augment
from simsearch.training.directions import even_directions, main_directions
from simsearch.training.imitation import TEACHER, WEIGHT, Teacher, half_mixed, imitation_loss, made_teacher
from simsearch.training.inputs import Arrays
from simsearch.training.models import ModelSpec, Network, build
from simsearch.training.objective import Objective
from simsearch.training.presets import preset
from simsearch.training.processes import Alone
from simsearch.training.sampling import ViewSampler
from simsearch.training.starting import start_from

pytestmark = pytest.mark.usefixtures("unexported")
MakeEncoder = Callable[..., Path]
LARGE = ModelSpec("residual", 16, 16, 3, 12, widths=(8, 16), stem_stride=2)
SMALL = replace(
    preset("photo"), model=ModelSpec("residual", 8, 8, 3, 16, widths=(8, 16)), steps=6, evaluate_every=2,
    batch_classes=4, batch_images=2, training_side=0, averaging=0.0, split="content", counts=(0.7, 0.2, 0.1),
)  # fmt: skip
PIXELS = np.random.default_rng(3).integers(0, 256, (40, 8, 8, 3), np.uint8)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, made: MakeEncoder) -> Path:
    """An encoder of 16 pixels and 12 numbers; not to be changed."""
    return made(tmp_path_factory.mktemp("teacher") / "large", LARGE, 1, fit="squash")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders of eight pictures."""
    return painted(tmp_path_factory.mktemp("pictures"), 24)


def painted(place: Path, count: int) -> Path:
    """Smooth patches of colour in three folders."""
    rng = np.random.default_rng(5)
    for number in range(count):
        folder = place / f"class{number % 3}"
        folder.mkdir(exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (3, 3, 3), np.uint8))
        coarse.resize((16, 16)).save(folder / f"{number}.png")
    return place


def taught(source: Path, out: Path, teacher: Path | str, **changes: object) -> Trained:
    return train(source, out, teacher=teacher, **{"recipe": SMALL, "report": False, **changes})  # type: ignore[arg-type]


def teacher_of(folder: Path, pixels: np.ndarray, dim: int, cache: Path, student: Network | None = None) -> Teacher:
    """The teacher of these pixels that this encoder is."""
    return made_teacher(
        start_from(str(folder)), Arrays(pixels), np.arange(len(pixels)), dim, student=student, folder=cache,
        configuration=f"{dim} numbers", processes=Alone(torch.device("cpu")),
    )  # fmt: skip


@given(st.integers(1, 12), st.integers(0, 4), st.sampled_from([60, 3]), st.integers(0, 2**32))
def test_even_directions_keep_the_cosines_and_give_each_number_as_much(
    dim: int, more: int, count: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    # Numbers of very different sizes, and not about zero; 3 vectors lie in fewer directions than are asked for.
    vectors = rng.normal(0.3, 1.0, (count, dim + more)) * np.exp(rng.normal(0, 1.5, dim + more))
    even, main = even_directions(vectors, dim), main_directions(vectors, dim)
    np.testing.assert_allclose(even.T @ even, np.eye(dim), atol=1e-5)
    # The same space: what is left of the vectors in it is the same.
    np.testing.assert_allclose(vectors @ even @ even.T, vectors @ main @ main.T, atol=1e-3 * np.abs(vectors).max())
    lengths = np.square(vectors @ even).mean(axis=0)
    np.testing.assert_allclose(lengths, lengths.mean(), rtol=1e-4)


def test_a_teacher_says_what_its_encoder_says_in_fewer_numbers(large: Path, tmp_path: Path) -> None:
    own_encoder = start_from(str(large)).encoder.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
    whole = teacher_of(large, pixels, 12, tmp_path)
    said, own = whole(torch.from_numpy(pixels)), own_encoder(torch.from_numpy(pixels))
    torch.testing.assert_close(said @ said.T, own @ own.T, atol=1e-5, rtol=0)
    few = teacher_of(large, pixels, 5, tmp_path)(torch.from_numpy(pixels))
    assert few.shape == (30, 5) and torch.allclose(few.norm(dim=1), torch.ones(30))
    # Pictures of another size are shown to it at its own.
    small = torch.nn.functional.interpolate(
        whole.prepare(torch.from_numpy(PIXELS)), (16, 16), mode="bilinear", antialias=True
    )
    torch.testing.assert_close(whole(torch.from_numpy(PIXELS)), whole.embed(small))


def test_the_loss_is_how_far_student_and_teacher_are_apart() -> None:
    rng = np.random.default_rng(1)
    ours, theirs = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in rng.normal(size=(2, 9, 4)))
    pairs = list(zip(ours, theirs, strict=True))
    apart = [1.0 - sum(a * b for a, b in zip(x, y, strict=True)) for x, y in pairs]
    expected = WEIGHT * np.mean(apart)
    assert imitation_loss(torch.from_numpy(ours), torch.from_numpy(theirs)).item() == pytest.approx(expected)


def test_half_of_a_batch_is_mixed_with_itself() -> None:
    torch.manual_seed(0)
    images = torch.rand(7, 3, 2, 2)
    mixed = half_mixed(images)
    torch.testing.assert_close(mixed[3:], images[3:])
    for row in range(3):
        other = images[2 - row]
        if row != 1:
            share = (mixed[row] - other) / (images[row] - other)
            assert float(share.min()) >= 0.0 and float(share.max()) <= 1.0
            torch.testing.assert_close(share, torch.full_like(share, float(share.mean())), atol=1e-3, rtol=0)


@pytest.mark.parametrize(("augmentation", "side"), [("none", 0), ("none", 6), ("copies", 0)])
def test_the_student_learns_from_the_same_views_and_the_teacher_does_not_change(
    augmentation: str, side: int, large: Path, tmp_path: Path
) -> None:
    teacher = teacher_of(large, PIXELS, 12, tmp_path)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    recipe = replace(
        SMALL, model=replace(SMALL.model, dim=12), augmentation=augmentation, training_side=side, averaging=0.9
    )
    student = build(recipe.model, mean=(0.5,) * 3, std=(0.3,) * 3)
    objective = Objective(student, recipe, 0, Alone(), teacher)
    batch = ViewSampler(np.arange(40), count=8, seed=0).batch(0)
    torch.manual_seed(4)
    objective.train()
    loss = objective(batch, torch.from_numpy(PIXELS[batch.rows]), np.arange(16))
    loss.backward()
    torch.manual_seed(4)
    seen = augment(student.prepare(torch.from_numpy(PIXELS[batch.rows])), augmentation)
    seen = seen if augmentation == "none" else half_mixed(seen)
    small = seen if not side else torch.nn.functional.interpolate(seen, (side, side), mode="bilinear", antialias=True)
    torch.testing.assert_close(loss, imitation_loss(student.embed(small), teacher.embed(seen)))
    assert not any("teacher" in name or "kept" in name for name in objective.state_dict())
    assert all(parameter.grad is None for parameter in teacher.parameters())
    assert all(parameter.grad is not None for parameter in student.parameters())
    for name, tensor in teacher.state_dict().items():
        torch.testing.assert_close(tensor, before[name], msg=name)
    assert not teacher.training


def test_a_student_comes_to_agree_with_its_teacher(large: Path, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    done = taught(
        painted(tmp_path / "pictures", 300), tmp_path / "small", large, steps=150, reading=Reading("unlabelled"),
        changes=Changes(averaging=0.9, augmentation="none", batch_classes=16),
    )  # fmt: skip
    first, last = done.history[0], done.history[-1]
    assert last["validation"] > 0.75 > first["validation"] + 0.3
    assert last["loss"] < 0.5 * first["loss"]


def test_classes_measure_what_a_teacher_taught_and_the_folder_says_who_it_was(
    large: Path, pictures: Path, tmp_path: Path
) -> None:
    done = taught(pictures, tmp_path / "small", large)
    assert {"validation", "threshold", "test_pair_accuracy"} <= set(done.figures)
    config = read_config(done.folder)
    assert config.training["teacher"] == {"encoder": str(large), "fingerprint": read_config(large).fingerprint}
    assert config.training["loss"] == TEACHER
    # As many numbers as the teacher has, where the preset has more, and pictures fitted as the teacher wants them.
    assert (config.dim, config.fit) == (12, "squash")


def test_the_directions_of_a_run_are_chosen_once(large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = teacher_of(large, PIXELS, 5, tmp_path).get_buffer("kept")
    monkeypatch.setattr("simsearch.training.imitation.even_directions", lambda *_: pytest.fail("chosen again"))
    torch.testing.assert_close(teacher_of(large, PIXELS, 5, tmp_path).get_buffer("kept"), first, atol=0, rtol=0)
    path = next(tmp_path.glob("teacher-*.npy"))
    for content in (path.read_bytes()[:-9], b"", _saved(np.zeros((12, 4), np.float32)), _saved(np.zeros((12, 5)))):
        path.write_bytes(content)
        with pytest.raises(DamagedError, match="start again with --restart"):
            teacher_of(large, PIXELS, 5, tmp_path)


def _saved(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_restart_chooses_the_directions_again(large: Path, pictures: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("simsearch.training.session.finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            taught(pictures, tmp_path / "small", large)
    next((tmp_path / "small.training").glob("teacher-*.npy")).write_bytes(b"broken")
    with pytest.raises(DamagedError, match="--restart"):
        taught(pictures, tmp_path / "small", large)
    assert taught(pictures, tmp_path / "small", large, restart=True).folder.is_dir()
    assert [path.name for path in tmp_path.iterdir()] == ["small"]


def test_a_student_that_is_its_teacher_has_nothing_to_learn(large: Path, tmp_path: Path) -> None:
    own = start_from(str(large)).encoder.eval()
    pixels = np.random.default_rng(0).integers(0, 256, (30, 16, 16, 3), np.uint8)
    turned = teacher_of(large, pixels, 12, tmp_path, student=own)
    torch.testing.assert_close(turned(torch.from_numpy(pixels)), own(torch.from_numpy(pixels)), atol=1e-5, rtol=0)


def test_a_student_goes_on_from_an_encoder(large: Path, made: MakeEncoder, pictures: Path, tmp_path: Path) -> None:
    began = made(tmp_path / "began", replace(SMALL.model, dim=10), 4, fit="pad")
    done = taught(pictures, tmp_path / "small", large, start=began, steps=1, learning_rate=1e-9)
    config = read_config(done.folder)
    assert (config.dim, config.fit) == (10, "pad")
    assert config.training["start_share"] == 0.0
    before, after = (load_file(folder / WEIGHTS_NAME)["trunk.0.0.weight"] for folder in (began, done.folder))
    np.testing.assert_allclose(before, after, atol=1e-5)


@pytest.mark.parametrize("augmentation", ["none", "photo"])
def test_an_interrupted_run_ends_with_the_same_weights(
    augmentation: str, large: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = Changes(augmentation=augmentation, averaging=0.9)
    whole = taught(pictures, tmp_path / "whole", large, changes=changes)
    learned = []

    def stopping(self: Objective, step: int) -> None:
        learned.append(step)
        if len(learned) == 5:
            raise KeyboardInterrupt(signal.SIGINT)
        followed(self, step)

    followed = Objective.follow
    monkeypatch.setattr(Objective, "follow", stopping)
    with pytest.raises(KeyboardInterrupt):
        taught(pictures, tmp_path / "cut", large, changes=changes)
    cut = taught(pictures, tmp_path / "cut", large, changes=changes)
    assert learned == [0, 1, 2, 3, 4, 4, 5]
    weights = [(folder / WEIGHTS_NAME).read_bytes() for folder in (whole.folder, cut.folder)]
    assert weights[0] == weights[1]


def test_a_checkpoint_of_another_teacher_is_refused(
    large: Path, made: MakeEncoder, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = made(tmp_path / "other", LARGE, 2, fit="squash")
    with monkeypatch.context() as patched:
        patched.setattr("simsearch.training.session.finish", interrupted)
        with pytest.raises(KeyboardInterrupt):
            taught(pictures, tmp_path / "small", large)
    with pytest.raises(TrainingError, match="restart"):
        taught(pictures, tmp_path / "small", other)


def interrupted(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"loss": "triplet"}, "takes the place of the loss; take loss 'triplet' away"),
        ({"changes": Changes(within_power=0.3)}, r"says what its teacher says; take a power of 0\.3 within away"),
        ({"changes": Changes(margin=0.2)}, "take margin 0.2 away"),
        ({"changes": Changes(memory=64)}, "take memory 64 away"),
        ({"teacher": "text"}, "teacher text is for texts; of texts simsearch distill learns"),
        ({"teacher": "glyph"}, "takes pictures of 1 channels, photo of 3; name a student of as many with --preset"),
        ({"start": "photo-copies", "freeze": "part"}, "take --freeze part away"),
        ({"start": "photo-copies"}, "gives 12 numbers, fewer than the 128 of photo-copies; name another"),
    ],
)
def test_what_does_not_go_with_a_teacher_is_refused(
    changes: dict[str, object], says: str, large: Path, pictures: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=says):
        taught(pictures, tmp_path / "small", **{"teacher": large, **changes})  # type: ignore[arg-type]
    assert not any(tmp_path.iterdir())


def test_pairs_have_no_use_for_a_teacher(large: Path, pictures: Path, tmp_path: Path) -> None:
    files = sorted(pictures.rglob("*.png"))
    table = tmp_path / "pairs.csv"
    rows = [f"{a},{b},{n % 2}" for n, (a, b) in enumerate(itertools.pairwise(files))]
    table.write_text("\n".join(["path1,path2,same", *rows]), encoding="utf-8")
    with pytest.raises(UsageError, match="class folders or unlabelled files, and these are pairs"):
        taught(table, tmp_path / "small", large)


def test_turned_drawings_are_shown_to_the_teacher_as_well(large: Path) -> None:
    class Noting(Teacher):
        def embed(self, prepared: torch.Tensor) -> torch.Tensor:
            seen.append(prepared)
            return super().embed(prepared)

    seen: list[torch.Tensor] = []
    start = start_from(str(large))
    teacher = Noting(start.encoder, (16, 16), np.eye(12, dtype=np.float32))  # type: ignore[arg-type]
    recipe = replace(SMALL, model=replace(SMALL.model, dim=12), augmentation="none", poses=8)
    objective = Objective(build(recipe.model, mean=(0.5,) * 3, std=(0.3,) * 3), recipe, 3, Alone(), teacher)
    torch.manual_seed(0)
    objective(ViewSampler(np.arange(40), count=20, seed=0).batch(0), torch.from_numpy(PIXELS), np.arange(40))
    as_they_are = teacher.prepare(torch.from_numpy(PIXELS))[20:]
    unchanged = (seen[0][20:] == as_they_are).flatten(1).all(dim=1)
    assert 0 < int(unchanged.sum()) < 12
    torch.testing.assert_close(seen[0][20:].flatten(1).sort().values, as_they_are.flatten(1).sort().values)
