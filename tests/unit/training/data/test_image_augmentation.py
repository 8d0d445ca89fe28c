"""Augmentation: stays a picture, repeats under a seed, and turns exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.data.image_augmentation import augment, posed
from simsearch.training.recipes import AUGMENTATIONS

PICTURES = [kind for kind in AUGMENTATIONS if kind != "text"]


def images(n: int = 6, channels: int = 3, height: int = 20, width: int = 20, seed: int = 0) -> Tensor:
    return torch.rand(n, channels, height, width, generator=torch.Generator().manual_seed(seed))


def augmented(pictures: Tensor, kind: str, seed: int = 0) -> Tensor:
    torch.manual_seed(seed)
    return augment(pictures, kind)


def black_on_white(n: int = 40, side: int = 32) -> Tensor:
    page = torch.ones(n, 1, side, side)
    page[:, :, side // 2 - 4 : side // 2 + 4, side // 2 - 4 : side // 2 + 4] = 0.0
    return page


@pytest.mark.parametrize("kind", PICTURES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(20, 20), (12, 30)])
def test_pictures_keep_their_shape_and_range(kind: str, channels: int, size: tuple[int, int]) -> None:
    before = images(8, channels, *size)
    after = augmented(before, kind)
    assert after.shape == before.shape
    assert after.dtype == torch.float32
    assert after.min() >= -1e-6
    assert after.max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", PICTURES)
def test_black_and_white_stay_in_range(kind: str) -> None:
    for level in (0.0, 1.0):
        after = augmented(torch.full((16, 3, 10, 10), level), kind)
        assert after.min() >= -1e-6
        assert after.max() <= 1 + 1e-6


@pytest.mark.parametrize("kind", PICTURES)
def test_what_is_drawn_lies_where_the_pictures_do(kind: str) -> None:
    """On a device that computes nothing but complains, as a GPU does, of tensors from elsewhere."""
    pictures = torch.empty(4, 3, 20, 20, device="meta")
    assert augment(pictures, kind).device.type == "meta"
    assert augment(pictures, kind).shape == pictures.shape


def test_none_is_the_identity() -> None:
    before = images()
    assert torch.equal(augment(before, "none"), before)


@pytest.mark.parametrize("kind", ["photo", "drawing", "copies"])
def test_the_seed_decides(kind: str) -> None:
    before = images()
    first = augmented(before, kind, 1)
    assert torch.equal(augmented(before, kind, 1), first)
    assert not torch.allclose(augmented(before, kind, 2), first, atol=1e-3)


@pytest.mark.parametrize("kind", ["photo", "drawing", "copies"])
def test_each_picture_gets_a_variant_of_its_own_and_the_input_stays(kind: str) -> None:
    before = images(1).repeat(4, 1, 1, 1)
    kept = before.clone()
    after = augmented(before, kind)
    assert torch.equal(before, kept)
    for i in range(4):
        for j in range(i):
            assert not torch.allclose(after[i], after[j], atol=1e-3)


def test_a_drawing_keeps_a_white_border() -> None:
    after = augmented(black_on_white(), "drawing")
    border = torch.cat(
        [after[:, :, 0].flatten(), after[:, :, -1].flatten(), after[..., 0].flatten(), after[..., -1].flatten()]
    )
    assert torch.allclose(border, torch.ones_like(border), atol=1e-6)
    dark = (1 - after).sum(dim=(1, 2, 3))
    assert (dark > 30).all()
    assert dark.std() > 1


def test_a_white_page_stays_white() -> None:
    page = torch.ones(10, 1, 16, 16)
    torch.testing.assert_close(augmented(page, "drawing"), page, atol=1e-6, rtol=0)


def test_a_photo_is_mirrored_in_about_half_of_the_cases() -> None:
    ramp = torch.linspace(0.2, 0.8, 24).expand(200, 3, 24, 24).clone()
    after = augmented(ramp, "photo")
    slope = after[..., -1].mean(dim=(1, 2)) - after[..., 0].mean(dim=(1, 2))
    assert 60 < int((slope < 0).sum()) < 140
    assert (slope.abs() > 0.05).all()


def test_a_photo_never_shows_what_lies_outside() -> None:
    """Crops lie within the picture: an even picture keeps even colour, without a dark frame."""
    after = augmented(torch.full((50, 3, 16, 16), 0.5), "photo")
    spread = after.amax(dim=(2, 3)) - after.amin(dim=(2, 3))
    assert spread.max() < 1e-5


@pytest.mark.parametrize("kind", ["rotate", "", "Photo"])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(UsageError, match=f"'{kind}'.*none, photo, drawing, copies"):
        augment(images(), kind)


def test_poses_are_numpys_quarter_turns_of_the_picture_and_of_its_mirror_image() -> None:
    before = images(9, 2, 7, 7)
    poses = torch.tensor([0, 1, 2, 3, 7, 6, 5, 4, 1])
    for picture, seen, pose in zip(before.numpy(), posed(before, poses).numpy(), poses.tolist(), strict=True):
        first = picture[:, :, ::-1] if pose >= 4 else picture
        assert np.array_equal(seen, np.rot90(first, pose, axes=(1, 2)))
    asymmetric = images(1, 1, 5, 5).expand(8, 1, 5, 5)
    assert len({picture.numpy().tobytes() for picture in posed(asymmetric, torch.arange(8))}) == 8


def test_lines_of_a_drawing_differ_in_thickness_and_stay_dark() -> None:
    page = torch.ones(200, 1, 32, 32)
    page[:, :, 15:17] = 0.0
    after = augmented(page, "drawing")
    dark = (1 - after).sum(dim=(1, 2, 3)) / 32
    assert dark.min() > 1.0
    assert dark.max() / dark.min() > 1.5
    assert after.amin(dim=(1, 2, 3)).max() < 0.5


def test_copies_of_an_even_picture_hold_its_colour_a_frame_and_letters_only() -> None:
    """What is neither the picture, nor its frame, nor black or white, is a mixture at an edge."""
    torch.manual_seed(0)
    after = augment(torch.full((100, 3, 24, 24), 0.5), "copies")
    for picture in after:
        colours = (picture.permute(1, 2, 0).reshape(-1, 3) * 255).round().unique(dim=0, return_counts=True)[1]
        assert int(colours.sort(descending=True).values[:4].sum()) > 24 * 24 * 0.45
    middle = after[:, :, 12, 12]
    assert 10 < int(((middle == 0) | (middle == 1)).all(dim=1).sum()) < 60


def test_copies_show_the_picture_turned_and_cut() -> None:
    """A picture dark on one side: its dark half is to be found on each of the four sides of some copy."""
    torch.manual_seed(0)
    ramp = torch.linspace(0.0, 1.0, 24).expand(400, 3, 24, 24).clone()
    grey = augment(ramp, "copies").mean(dim=1)
    across = grey[:, :, 16:].mean(dim=(1, 2)) - grey[:, :, :8].mean(dim=(1, 2))
    down = grey[:, 16:].mean(dim=(1, 2)) - grey[:, :8].mean(dim=(1, 2))
    for share in (across > 0.2, across < -0.2, down > 0.2, down < -0.2):
        assert int(share.sum()) > 15
