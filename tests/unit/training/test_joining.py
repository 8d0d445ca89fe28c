"""Encoders side by side: the score of the joined one is the mean of theirs, and it can be trained on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from simsearch.encoders.folder import WEIGHTS_NAME, read_config
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import EncoderError, UsageError
from simsearch.training import join
from simsearch.training.models import ModelSpec
from simsearch.training.starting import start_from
from simsearch.types import Skip

MakeEncoder = Callable[..., Path]
SPEC = ModelSpec("residual", 16, 16, 3, 12, widths=(8, 16), stem_stride=2, views=("plain", "mirror"))


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory, made: MakeEncoder) -> tuple[Path, Path]:
    """Two networks of different widths and lengths; not to be changed."""
    place = tmp_path_factory.mktemp("members")
    first = made(place / "first", SPEC, 1, held_out=["hat", "shirt", "skirt"])
    other = replace(SPEC, dim=20, widths=(12, 8))
    return first, made(place / "second", other, 2, half=True, held_out=["skirt", "hat", "dress"])


@pytest.fixture(scope="module")
def both(members: tuple[Path, Path]) -> Path:
    """The two joined; not to be changed."""
    folder = members[0].parent / "both"
    join(members, folder)
    return folder


def embedded(folder: Path, pixels: np.ndarray) -> np.ndarray:
    """What torch makes of pixels with the weights of this folder."""
    with torch.inference_mode():
        return np.asarray(start_from(str(folder)).encoder.eval()(torch.from_numpy(pixels)))


def vectors(folder: Path, count: int = 6) -> np.ndarray:
    sources = [np.random.default_rng(seed).integers(0, 256, (20, 24, 3), np.uint8) for seed in range(count)]
    return np.asarray(OnnxEncoder.open(folder).encode(sources))


def test_a_joined_score_is_the_mean_of_the_scores(members: tuple[Path, Path], both: Path) -> None:
    found = vectors(both)
    assert found.shape == (6, 32)
    scores = [vectors(folder) @ vectors(folder).T for folder in members]
    assert np.abs(scores[0] - scores[1]).max() > 0.05, "the members must differ for this to show anything"
    np.testing.assert_allclose(found @ found.T, (scores[0] + scores[1]) / 2, atol=0.02)


@pytest.mark.usefixtures("unexported")
def test_without_views_it_is_so_to_the_last_digits(made: MakeEncoder, tmp_path: Path) -> None:
    plain = replace(SPEC, views=("plain",))
    members = [made(tmp_path / f"{seed}", plain, seed) for seed in (3, 4, 5)]
    join(members, tmp_path / "all")
    pixels = np.random.default_rng(0).integers(0, 256, (6, 16, 16, 3), np.uint8)
    found = embedded(tmp_path / "all", pixels)
    mean = sum(embedded(folder, pixels) @ embedded(folder, pixels).T for folder in members) / 3
    np.testing.assert_allclose(found @ found.T, mean, atol=1e-5)


@pytest.mark.usefixtures("unexported")
def test_a_member_of_half_the_side_sees_means_of_four_pixels(made: MakeEncoder, tmp_path: Path) -> None:
    small = made(tmp_path / "small", replace(SPEC, views=("plain",)), 3)
    large = made(tmp_path / "large", replace(SPEC, width=32, height=32, views=("plain",)), 4)
    for order in ([small, large], [large, small]):
        config = join(order, tmp_path / "joined", overwrite=True)
        assert (config.width, config.height) == (32, 32)
        # Blocks of equal pixels, so that no rounding stands between the means and the smaller picture.
        coarse = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
        fine = coarse.repeat(2, axis=1).repeat(2, axis=2)
        joined = embedded(tmp_path / "joined", fine)
        parts = [embedded(each, {small: coarse, large: fine}[each]) for each in order]
        np.testing.assert_allclose(joined, np.concatenate(parts, axis=1) / np.sqrt(2), atol=1e-6)


def test_the_folder_says_what_it_was_made_of(members: tuple[Path, Path], both: Path) -> None:
    config = read_config(both)
    told = config.training["joined"]
    assert isinstance(told, list)
    assert [(each["name"], each["fingerprint"]) for each in told if isinstance(each, dict)] == [
        (folder.name, read_config(folder).fingerprint) for folder in members
    ]
    assert config.parameters == sum(read_config(folder).parameters for folder in members)
    assert config.training["held_out"] == ["hat", "skirt"], "what one of them has learned is not unseen"
    assert config.model["half"] is False, "one of the members has 32 bits"


def test_training_goes_on_from_both(both: Path) -> None:
    start = start_from(str(both))
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8))
    encoder = start.encoder.train()
    encoder(pixels)[:, 0].sum().backward()
    gradients = {
        name: float(each.grad.abs().sum()) for name, each in encoder.named_parameters() if each.grad is not None
    }
    assert any(value > 0 for name, value in gradients.items() if "members.0" in name)
    again = start_from(str(both)).encoder.eval()
    with torch.inference_mode():
        found = again(pixels).numpy()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-5)
    assert found.shape == (4, 32)


@pytest.mark.usefixtures("unexported")
def test_joined_encoders_are_joined_again(members: tuple[Path, Path], both: Path, tmp_path: Path) -> None:
    config = join([both, members[0]], tmp_path / "three")
    assert config.dim == 32 + 12
    start_from(str(tmp_path / "three"))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Thirty small pictures in two folders and a broken one."""
    place = tmp_path_factory.mktemp("pictures")
    for seed in range(30):
        pixels = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), np.uint8)
        path = place / "ab"[seed % 2] / f"{seed}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).resize((20, 24)).save(path)
    (place / "broken.png").write_bytes(b"no picture")
    return place


@pytest.fixture(scope="module")
def short(both: Path, pictures: Path) -> Path:
    """Five numbers of the embeddings of both; not to be changed."""
    folder, skipped = both.with_name("short"), list[Skip]()
    join([both], folder, dim=5, pictures=pictures, on_skip=skipped.append)
    assert [Path(skip.path).name for skip in skipped] == ["broken.png"]
    return folder


def test_of_the_embeddings_the_main_directions_are_kept(both: Path, short: Path, pictures: Path) -> None:
    config = read_config(short)
    assert (config.dim, config.model["dim"]) == (5, 5)
    paths = sorted(pictures.glob("*/*.png"))
    whole, found = (np.asarray(OnnxEncoder.open(each).encode(paths), dtype=np.float64) for each in (both, short))
    _, lengths, directions = np.linalg.svd(whole)
    exact = whole @ directions[:5].T
    share = float((lengths[:5] ** 2).sum() / (lengths**2).sum())
    assert share < 0.999, "nothing would be left out"
    kept = config.training["kept"]
    assert isinstance(kept, dict)
    assert kept["share_of_squared_length"] == pytest.approx(share, abs=1e-3)
    assert (kept["pictures"], kept["skipped"], kept["of"]) == (30, 1, 32)
    assert config.training["held_out"] == ["hat", "skirt"]
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    # The mirror image is averaged with after the shortening, not before it.
    np.testing.assert_allclose(found @ found.T, exact @ exact.T, atol=0.02)


@pytest.mark.usefixtures("unexported")
def test_a_shortened_encoder_is_trained_on_and_joined_again(
    members: tuple[Path, Path], short: Path, tmp_path: Path
) -> None:
    encoder = start_from(str(short)).encoder.train()
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (4, 16, 16, 3), np.uint8))
    encoder(pixels)[:, 0].sum().backward()
    gradient = encoder.trunk.get_submodule("kept").get_parameter("weight").grad
    assert gradient is not None
    assert gradient.abs().sum() > 0
    assert join([short, members[1]], tmp_path / "more").dim == 5 + 20


def test_what_cannot_be_shortened_is_refused(members: tuple[Path, Path], pictures: Path, tmp_path: Path) -> None:
    for wrong, said in (
        ({"dim": 32, "pictures": pictures}, "dim 32: the embeddings have 32 numbers"),
        ({"dim": 31, "pictures": pictures}, "30 pictures cannot show 31 directions"),
        ({"dim": 0, "pictures": pictures}, "dim must be 1 or more, not 0"),
        ({"dim": 4}, "dim and pictures go together"),
        ({"pictures": pictures}, "dim and pictures go together"),
    ):
        with pytest.raises(UsageError, match=said):
            join(members, tmp_path / "out", **wrong)  # type: ignore[arg-type]
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match="holds no pictures"):
        join(members, tmp_path / "out", dim=4, pictures=tmp_path / "empty")
    assert [path.name for path in tmp_path.iterdir()] == ["empty"]


@pytest.mark.usefixtures("unexported")
@pytest.mark.parametrize(
    ("change", "fit", "said"),
    [
        ({"width": 24}, "crop", "16x16"),
        ({"width": 32, "height": 48}, "crop", "32x48"),
        ({"channels": 1}, "crop", "channels 1"),
        ({"views": ("plain",)}, "crop", "views ('plain',)"),
        ({}, "pad", "fit 'pad'"),
    ],
    ids=["width", "shape", "colours", "views", "fit"],
)
def test_members_that_cannot_see_the_same_are_refused(
    members: tuple[Path, Path], made: MakeEncoder, tmp_path: Path, change: dict[str, object], fit: str, said: str
) -> None:
    other = made(tmp_path / "other", replace(SPEC, **change), 3, fit=fit)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"encoders? that (are|is) joined") as raised:
        join([members[0], other], tmp_path / "out")
    assert said in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_one_alone_texts_and_what_is_no_encoder(members: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name two or more"):
        join(members[:1], tmp_path / "out")
    with pytest.raises(UsageError, match="of texts"):
        join(["text", "text"], tmp_path / "out")
    with pytest.raises(EncoderError, match="No encoder"):
        join([members[0], tmp_path / "nothing"], tmp_path / "out")


@pytest.mark.usefixtures("unexported")
def test_a_folder_is_replaced_only_when_asked(members: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="exists"):
        join(members, tmp_path / "out", overwrite=True)
    assert (tmp_path / "out" / "letter.txt").read_text() == "mine"
    join(members, tmp_path / "made")
    with pytest.raises(UsageError, match="exists"):
        join(members, tmp_path / "made")
    config = join([*members, members[0]], tmp_path / "made", overwrite=True)
    assert read_config(tmp_path / "made") == config
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out"]


@pytest.mark.usefixtures("unexported")
def test_damaged_weights_are_refused_before_anything_is_made(
    members: tuple[Path, Path], made: MakeEncoder, tmp_path: Path
) -> None:
    damaged = made(tmp_path / "damaged", SPEC, 6)
    content = bytearray((damaged / WEIGHTS_NAME).read_bytes())
    content[-1] ^= 1
    (damaged / WEIGHTS_NAME).write_bytes(bytes(content))
    with pytest.raises(EncoderError, match="checksum"):
        join([members[0], damaged], tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged"]
