"""Learning to say of pictures what another encoder says of them, its teacher (Hinton et al. 2015)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from simsearch.errors import UsageError
from simsearch.manifest import replacing
from simsearch.training.directions import even_directions
from simsearch.training.measure import embed_rows
from simsearch.training.models import ImageEncoder, ModelSpec, Network, unit_rows
from simsearch.training.teacher import stored_array
from simsearch.training.text_models import TextSpec

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.media.labelled import Kind
    from simsearch.training.inputs import Inputs
    from simsearch.training.processes import Processes
    from simsearch.training.recipes import Changes, Recipe
    from simsearch.training.starting import Start
    from simsearch.types import Vectors

TEACHER = "teacher"
"""What a recipe calls its loss when a teacher takes its place."""
CACHE = "teacher-"
"""How the file begins that keeps the directions of a run's teacher."""
WEIGHT = 6.0
"""Times 1 minus the cosine: learning rates that suit the classifier then suit this."""
LOOKED_AT = 5_000
"""Most pictures that show which directions of the teacher's embeddings say most, or how far a student agrees."""


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
        said = self.network.embed(resized(prepared, self.size)).float()
        with torch.autocast(said.device.type, enabled=False):
            return unit_rows(said @ self.get_buffer("kept"))


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
    """Raises UsageError for a setting of the loss, whose place a teacher takes, and of what its student is to leave."""
    if wanted.within_power:
        raise UsageError(f"a student says what its teacher says; take a power of {wanted.within_power:g} within away")
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
            f"teacher {teacher.name} takes pictures of {teacher.spec.channels} channels, "
            f"{recipe.name if began is None else began.name} of {recipe.model.channels}; name a student of as many "
            "with --preset"
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
        within_power=0.0, start_share=recipe.start_share or 0.0,
    )  # fmt: skip


def made_teacher(
    teacher: Start, inputs: Inputs, rows: NDArray[np.int64], dim: int, *,
    student: Network | None, folder: Path, configuration: str, processes: Processes,
) -> Teacher:  # fmt: skip
    """The teacher of the pictures of these rows, in `dim` numbers, on the device of these processes.

    The directions are chosen once a run, by the first process, and kept in `folder` for this `configuration`: chosen
    again elsewhere they could be others, as embeddings differ in their last digits. They are turned to those of a
    `student` that knows something already. Raises DamagedError for a file that does not hold them.
    """
    assert isinstance(teacher.encoder, ImageEncoder) and isinstance(teacher.spec, ModelSpec)
    size = (teacher.spec.height, teacher.spec.width)
    path = folder / f"{CACHE}{configuration[:16]}.npy"
    if processes.rank == 0 and not path.exists():
        few = rows[:: -(-len(rows) // LOOKED_AT)]
        whole = Teacher(teacher.encoder, size, np.eye(teacher.spec.dim, dtype=np.float32)).to(processes.device)
        said = embed_rows(whole, inputs, few)
        kept = even_directions(said, dim)
        if student is not None:
            kept = turned_to(kept, said, embed_rows(student, inputs, few))
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, kept)
    processes.wait()
    return Teacher(teacher.encoder, size, stored_array(path, (teacher.spec.dim, dim), np.float32)).to(processes.device)


def turned_to(kept: NDArray[np.float32], said: Vectors, own: Vectors) -> NDArray[np.float32]:
    """The directions turned within their space until what the teacher says of pictures is nearest to what the student
    says of them already (the orthogonal Procrustes problem; Schoenemann 1966)."""
    left, _, right = np.linalg.svd((said @ kept).astype(np.float64).T @ own)
    turned: NDArray[np.float32] = (kept @ left @ right).astype(np.float32)
    return turned


def agreement(teacher: Teacher, inputs: Inputs, rows: NDArray[np.int64]) -> Callable[[Network], float]:
    """The mean cosine of what a student and the teacher say of the pictures of these rows, of at most 5,000 of them."""
    few = rows[:: -(-len(rows) // LOOKED_AT)]
    wanted = embed_rows(teacher, inputs, few)
    return lambda student: float((embed_rows(student, inputs, few) * wanted).sum(axis=1).mean())
