"""Learning to say of pictures what another encoder says of them, its teacher (Hinton et al. 2015)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.training.directions import even_directions
from simsearch.training.measure import embed_rows
from simsearch.training.models import ImageEncoder, ModelSpec, Network, unit_rows
from simsearch.training.text_models import TextSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.media.labelled import Kind
    from simsearch.training.inputs import Inputs
    from simsearch.training.recipes import Changes, Recipe
    from simsearch.training.starting import Start

TEACHER = "teacher"
"""What a recipe calls its loss when a teacher takes its place."""
WEIGHT = 6.0
"""Times 1 minus the cosine: learning rates that suit the classifier then suit this."""
LOOKED_AT = 5_000
"""Training pictures that show which directions of the teacher's embeddings say most."""


class Teacher(Network):
    """What a student is to say: of images unit rows (n, dim), the main directions of the teacher's embeddings.

    The teacher sees them at its own size, `size` (height, width). It learns nothing.
    """

    def __init__(self, network: ImageEncoder, size: tuple[int, int], kept: NDArray[np.float32]) -> None:
        super().__init__()
        self.network = network.requires_grad_(False)
        self.size = size
        self.register_buffer("kept", torch.from_numpy(kept))
        self.eval()

    def prepare(self, inputs: Tensor) -> Tensor:
        """Pixels as images."""
        return self.network.prepare(inputs)

    @torch.no_grad()
    def embed(self, prepared: Tensor) -> Tensor:
        """Unit embeddings (n, dim) of images of any size."""
        return unit_rows(self.network.embed(resized(prepared, self.size)).float() @ self.get_buffer("kept"))


def resized(images: Tensor, size: tuple[int, int]) -> Tensor:
    """The images with `size` (height, width), as they are where they have that."""
    if images.shape[2:] == size:
        return images
    return F.interpolate(images, size, mode="bilinear", antialias=True)


def half_mixed(images: Tensor) -> Tensor:
    """The first half of a batch, each image mixed with another of that half in a random share (Beyer et al. 2022).

    What a teacher says of pictures that are none tells more of how it sees than its pictures alone.
    """
    first = images[: len(images) // 2]
    share = torch.rand(len(first), 1, 1, 1).to(images)
    return torch.cat([first * share + first.flip(0) * (1.0 - share), images[len(first) :]])


def imitation_loss(embeddings: Tensor, wanted: Tensor) -> Tensor:
    """The mean over rows of 1 minus the cosine of two unit vectors, times `WEIGHT`."""
    return WEIGHT * (1.0 - (embeddings * wanted).sum(dim=1)).mean()


def require_no_loss(wanted: Changes) -> None:
    """Raises UsageError for a setting of the loss, whose place a teacher takes."""
    for name in ("loss", "margin", "temperature", "scale", "distance", "miner", "memory"):
        value = getattr(wanted, name)
        if value is not None:
            raise UsageError(f"a teacher takes the place of the loss; take {name} {value!r} away")


def imitating(recipe: Recipe, teacher: Start, kind: Kind, wanted: Changes, began: Start | None) -> Recipe:
    """The recipe with this teacher in place of its loss; `began` is the encoder that the student goes on from.

    A fresh student has no more numbers than its teacher, and fits pictures as that one does where nothing else is
    wanted. Raises UsageError where the two do not go together.
    """
    if kind not in ("classes", "unlabelled"):
        raise UsageError(f"a teacher looks at class folders or unlabelled files, and these are {kind}")
    if isinstance(teacher.spec, TextSpec) or isinstance(recipe.model, TextSpec):
        raise UsageError(f"teacher {teacher.name} is for {teacher.modality}s; of texts simsearch distill learns")
    if teacher.spec.channels != recipe.model.channels:
        raise UsageError(
            f"teacher {teacher.name} takes pictures of {teacher.spec.channels} channels, preset {recipe.name!r} "
            f"{recipe.model.channels}"
        )
    if began is not None and teacher.spec.dim < recipe.model.dim:
        raise UsageError(
            f"teacher {teacher.name} gives {teacher.spec.dim} numbers, fewer than the {recipe.model.dim} of "
            f"{began.name}; name another teacher, or take --from away"
        )
    fit = recipe.fit if began is not None else wanted.fit or teacher.fit
    return replace(
        recipe, model=replace(recipe.model, dim=min(recipe.model.dim, teacher.spec.dim)), fit=fit, loss=TEACHER,
        margin=None, temperature=None, scale=None, distance=None, miner=None, memory=0, contrast_weight=0.0,
    )  # fmt: skip


def made_teacher(start: Start, inputs: Inputs, rows: NDArray[np.int64], dim: int, device: torch.device) -> Teacher:
    """The teacher of pictures like these rows of the inputs, on this device."""
    assert isinstance(start.encoder, ImageEncoder) and isinstance(start.spec, ModelSpec)
    size = (start.spec.height, start.spec.width)
    whole = Teacher(start.encoder, size, np.eye(start.spec.dim, dtype=np.float32)).to(device)
    said = embed_rows(whole, inputs, rows[:: -(-len(rows) // LOOKED_AT)])
    return Teacher(start.encoder, size, even_directions(said, dim)).to(device)


def agreement(student: Network, teacher: Teacher, inputs: Inputs, rows: NDArray[np.int64]) -> float:
    """The mean cosine between what both say of the pictures of these rows."""
    mine, wanted = (embed_rows(network, inputs, rows) for network in (student, teacher))
    return float((mine * wanted).sum(axis=1).mean())
