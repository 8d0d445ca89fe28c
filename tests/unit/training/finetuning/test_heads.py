from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import ONNX_NAME, BaseRecord, encoder_folder, read_config, write_config
from simsearch.encoders.head import HeadEncoder
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import DamagedError, EncoderError, TrainingError, UsageError
from simsearch.labelled.reading import Reading
from simsearch.media.images import Picture
from simsearch.progress import Silent
from simsearch.training.data.inputs import Arrays, Views
from simsearch.training.finetuning.heads import FLOOR, cached_views, wccn_projection
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.finishing import Trained
from simsearch.training.networks.encoder import unit_rows
from simsearch.training.networks.head import BlendedHead
from simsearch.training.presets import HEAD
from simsearch.training.recipes import Changes
from simsearch.training.session import train

DrawShape = Callable[..., None]


@pytest.fixture(scope="module")
def shapes(tmp_path_factory: pytest.TempPathFactory, draw_shape: DrawShape) -> Path:
    root = tmp_path_factory.mktemp("shapes")
    for colour in ("red", "green", "blue"):
        for number in range(8):
            draw_shape(root / colour / f"{number}.png", "circle", colour, 10 * len(colour) + number)
    return root


def headed(source: Path, out: Path, **how: object) -> Trained:
    options: dict[str, object] = {"start": "photo", "steps": 20, "report": False, "seed": 3}
    return train(source, out, **(options | how))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def mine(shapes: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    return headed(shapes, tmp_path_factory.mktemp("made") / "mine")


def test_a_head_is_small_names_its_base_and_is_used_like_any_encoder(mine: Trained, shapes: Path) -> None:
    config = mine.config
    assert config.base is not None
    assert (config.base.name, config.base.fingerprint) == ("photo", read_config(encoder_folder("photo")).fingerprint)
    assert sorted(path.name for path in mine.folder.iterdir()) == ["encoder.json", ONNX_NAME]
    assert (mine.folder / ONNX_NAME).stat().st_size < 1_600_000
    encoder = open_encoder(mine.folder)
    assert isinstance(encoder, HeadEncoder)
    files = sorted(map(str, shapes.rglob("*.png")))
    vectors = encoder.encode(files)
    labels = np.array([Path(file).parent.name for file in files])
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -1)
    assert (labels[scores.argmax(axis=1)] == labels).all()


def test_a_head_in_use_computes_what_was_learned(mine: Trained, shapes: Path) -> None:
    start = load_initial_encoder(str(mine.folder))
    photo = open_encoder("photo")
    assert isinstance(photo, OnnxEncoder)
    files = sorted(map(str, shapes.rglob("*.png")))[:5]
    features = torch.from_numpy(photo.features([photo.prepare(file) for file in files]))
    with torch.no_grad():
        expected = unit_rows(start.encoder.eval().head(features)).numpy()
    np.testing.assert_allclose(open_encoder(mine.folder).encode(files), expected, atol=1e-4)


def test_the_same_run_gives_the_same_head(mine: Trained, shapes: Path, tmp_path: Path) -> None:
    again = headed(shapes, tmp_path / "again")
    assert (again.folder / ONNX_NAME).read_bytes() == (mine.folder / ONNX_NAME).read_bytes()


def test_a_head_is_gone_on_from(mine: Trained, shapes: Path, tmp_path: Path) -> None:
    other = headed(shapes, tmp_path / "other", start=str(mine.folder))
    assert other.config.base == mine.config.base
    seen = other.config.training["seen_before"]
    assert isinstance(seen, list)
    assert {"blue", "green", "red"} <= set(map(str, seen))


def test_a_head_whose_base_is_not_there_says_which_it_needs(mine: Trained, tmp_path: Path) -> None:
    folder = tmp_path / "moved"
    shutil.copytree(mine.folder, folder)
    config = replace(read_config(folder), base=BaseRecord("elsewhere", "0123456789abcdef"))
    write_config(folder, config.sealed(folder))
    with pytest.raises(EncoderError, match=r"a head on the encoder 'elsewhere' with fingerprint 0123456789abcdef"):
        open_encoder(folder).encode([np.zeros((8, 8, 3), dtype=np.uint8)])
    with pytest.raises(EncoderError, match="a head on the encoder 'elsewhere'"):
        load_initial_encoder(str(folder))


def test_a_base_beside_the_head_is_found_by_its_name(mine: Trained, shapes: Path, tmp_path: Path) -> None:
    shutil.copytree(encoder_folder("photo"), tmp_path / "backbone")
    config = replace(read_config(tmp_path / "backbone"), name="backbone", zoom=0.9)
    write_config(tmp_path / "backbone", config.sealed(tmp_path / "backbone"))
    base = read_config(tmp_path / "backbone")
    shutil.copytree(mine.folder, tmp_path / "head")
    headed_config = replace(read_config(tmp_path / "head"), base=BaseRecord("backbone", base.fingerprint))
    write_config(tmp_path / "head", headed_config.sealed(tmp_path / "head"))
    encoder = open_encoder(tmp_path / "head")
    assert isinstance(encoder, HeadEncoder)
    assert encoder.base.folder == tmp_path / "backbone"


@pytest.mark.parametrize("kind", ["unlabelled", "pairs"])
def test_other_data_goes_on_with_the_head_of_photo(kind: str, shapes: Path, tmp_path: Path) -> None:
    source, reading, changes = shapes, Reading(kind="unlabelled"), Changes()
    if kind == "pairs":
        files = sorted(shapes.rglob("*.png"))
        rows = [(one, other) for place, one in enumerate(files) for other in files[place + 1 :]]
        source = tmp_path / "pairs.csv"
        source.write_text("left,right,same\n" + "".join(f"{a},{b},{int(a.parent == b.parent)}\n" for a, b in rows[::3]))
        reading, changes = Reading(), Changes(counts=(1.0, 0.0, 0.0))
    out = headed(source, tmp_path / "out", reading=reading, changes=changes)
    assert out.config.base is not None
    assert out.config.dim == 256
    assert open_encoder(out.folder).encode([str(next(shapes.rglob("*.png")))]).shape == (1, 256)


def test_too_few_minutes_say_how_many_it_takes(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"24 inputs need about 0\.\d minutes more: raise --minutes by that"):
        headed(shapes, tmp_path / "out", steps=None, minutes=0.001)


def test_the_share_of_the_linear_half_is_as_wanted(shapes: Path, tmp_path: Path) -> None:
    out = headed(shapes, tmp_path / "out", changes=Changes(start_share=0.36))
    head = load_initial_encoder(str(out.folder)).encoder.head
    assert isinstance(head, BlendedHead)
    torch.testing.assert_close(head.get_buffer("scale")[[0, -1]], torch.tensor([0.6, 0.8]))


def test_poses_are_refused_where_nothing_but_a_head_learns(shapes: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="poses 4 needs a network that is trained"):
        headed(shapes, tmp_path / "out", changes=Changes(poses=4))


def test_a_blend_has_the_mean_of_the_cosines_of_its_halves() -> None:
    torch.manual_seed(0)
    head = BlendedHead(nn.Linear(6, 4), nn.Sequential(nn.Linear(6, 3))).eval()
    head.set_linear_weight(0.3)
    features = torch.randn(5, 6)
    with torch.no_grad():
        found = head(features) @ head(features).T
        halves = [unit_rows(part(features)) for part in (head.linear, head.learned)]
    torch.testing.assert_close(found, 0.3 * halves[0] @ halves[0].T + 0.7 * halves[1] @ halves[1].T)


def test_what_varies_within_classes_is_weakened_by_its_covariance() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(6), 40)
    spread = np.array([5.0, 1.0, 0.2, 1.0])
    features = (rng.normal(size=(6, 4))[labels] + rng.normal(size=(240, 4)) * spread).astype(np.float32)
    linear = wccn_projection(features, labels, 4, 0.5)
    means = np.stack([features[labels == number].mean(axis=0) for number in range(6)])
    within = np.cov((features - means[labels]).T, bias=True)
    values, vectors = np.linalg.eigh(within)
    power = vectors @ np.diag((values + FLOOR * values.mean()) ** -0.5) @ vectors.T
    with torch.no_grad():
        found = linear(torch.from_numpy(features)).numpy()
    expected = (features - features.mean(axis=0)) @ power
    # The map turns and scales as it likes: cosines are the same.
    norm = [each / np.linalg.norm(each, axis=1, keepdims=True) for each in (found, expected)]
    np.testing.assert_allclose(norm[0] @ norm[0].T, norm[1] @ norm[1].T, atol=1e-4)


def test_views_are_those_of_the_inputs_and_a_finished_cache_is_taken(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, size=(5, 224, 224, 3), dtype=np.uint8)
    photo = open_encoder("photo")
    assert isinstance(photo, OnnxEncoder)
    views = cached_views(photo, Arrays(pixels), HEAD, tmp_path / "views.npy", None, Silent()).features
    expected = photo.features([Picture(each, 224, 224) for each in pixels])
    np.testing.assert_allclose(views.rows[:, 0], expected, rtol=1e-3, atol=1e-3)
    assert views.rows.shape == (5, 5, 1280)
    assert not np.allclose(views.rows[:, 1], views.rows[:, 0], atol=1e-2)
    again = cached_views(photo, Arrays(pixels[:1]), HEAD, tmp_path / "views.npy", None, Silent()).features
    np.testing.assert_array_equal(again.rows, views.rows)


def test_a_batch_of_views_has_one_of_each_row() -> None:
    rows = np.arange(24, dtype=np.float32).reshape(4, 3, 2)
    torch.manual_seed(0)
    drawn = Views(rows).batch(np.array([2, 0, 3])).numpy()
    for row, found in zip((2, 0, 3), drawn, strict=True):
        assert any((found == view).all() for view in rows[row])
    np.testing.assert_array_equal(Views(rows, view=-1).batch(np.array([1, 1])).numpy(), rows[[1, 1], -1])


def test_forgeries_that_are_divided_by_content_are_learned_again_with_validation(
    tmp_path: Path, draw_shape: DrawShape
) -> None:
    for writer, colour in (("ana", "red"), ("bela", "blue")):
        for kind, shape in (("genuine", "circle"), ("forged", "square")):
            for number in range(10):
                draw_shape(tmp_path / "in" / writer / kind / f"{number}.png", shape, colour, number + 20 * len(kind))
    out = headed(tmp_path / "in", tmp_path / "out", split="content", loss="supervised-contrastive")
    assert out.config.base is not None
    assert "test_forgery_equal_error_rate" in out.figures


def test_restart_begins_anew_whatever_an_earlier_run_has_left(shapes: Path, tmp_path: Path) -> None:
    left = tmp_path / "out.training" / "checkpoint.again.pt"
    left.parent.mkdir()
    left.write_bytes(b"of another run")
    with pytest.raises(DamagedError, match=r"checkpoint\.again\.pt"):
        headed(shapes, tmp_path / "out")
    assert headed(shapes, tmp_path / "out", restart=True).config.base is not None
