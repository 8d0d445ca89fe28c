"""Trained encoders put side by side in one encoder folder, and what is kept of their embeddings."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from simsearch.encoders.folder import EncoderConfig, encoder_folder, read_config
from simsearch.errors import UsageError
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import PixelSpec
from simsearch.media.scan import scan
from simsearch.progress import Progress, Silent, Working
from simsearch.training.directions import main_directions
from simsearch.training.export import export_encoder
from simsearch.training.inputs import Arrays
from simsearch.training.measure import embed_rows
from simsearch.training.models import ImageEncoder, ModelSpec, build
from simsearch.training.pictures import load_pictures
from simsearch.training.placing import placed, require_place
from simsearch.training.starting import start_from
from simsearch.types import Skip

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import JSONValue

SAMPLE = 16
"""Pictures of noise on which torch and ONNX Runtime are compared."""
MOST_PICTURES = 5_000
"""Of more pictures every second, third, ... is looked at: the directions of some hundred numbers need no more."""
SHARED = ("channels", "views")
"""What the members' networks must have in common beside the fit."""


def join(
    encoders: Sequence[str | Path],
    out: str | Path,
    *,
    dim: int | None = None,
    pictures: str | Path | None = None,
    overwrite: bool = False,
    progress: Progress | None = None,
    on_skip: Callable[[Skip], object] | None = None,
) -> EncoderConfig:
    """Makes the folder `out` with these image encoders as one: its score is the mean of theirs.

    Each name is that of an encoder that ships or a folder. An embedding is as long as theirs together, and takes as
    long to compute. With `dim` it is that long: of the embeddings the directions are kept along which those of
    `pictures`, a folder of which at most 5,000 are looked at, have most of their length (principal components).
    That works for one encoder too. `training["kept"]` of the result says which share of the squared length that is;
    `on_skip` is told of every picture that cannot be read.
    Raises UsageError when the encoders do not take the same pictures, EncoderError for what is no encoder of ours,
    TrainingError when no picture can be read.
    """
    folder, shown = Path(out), progress or Silent()
    require_place(folder, overwrite=overwrite)
    _check(encoders, dim, pictures)
    configs = [read_config(encoder_folder(str(name))) for name in encoders]
    starts = [start_from(str(name)) for name in encoders]
    members, specs = [], []
    for start in starts:
        if not isinstance(start.encoder, ImageEncoder) or not isinstance(start.spec, ModelSpec):
            raise UsageError(f"{start.name} is an encoder of texts; only those of images can be joined")
        members.append(start.encoder)
        specs.append(start.spec)
    spec = _side_by_side(specs, configs)
    if dim is not None and dim >= spec.dim:
        raise UsageError(f"dim {dim}: the embeddings have {spec.dim} numbers; ask for fewer, or leave --dim away")
    encoder = build(spec, mean=(0.0,) * spec.channels, std=(1.0,) * spec.channels)
    for number, member in enumerate(members):
        encoder.trunk.get_submodule(f"members.{number}").load_state_dict(member.state_dict())
    noise = np.random.default_rng(0).integers(0, 256, (SAMPLE, spec.height, spec.width, spec.channels), np.uint8)
    record, work = _record(configs), folder.with_name(folder.name + ".joining")
    try:
        with placed(folder, work) as made:
            if dim is not None and pictures is not None:
                seen = PixelSpec(spec.width, spec.height, spec.channels, starts[0].fit)
                directions, record["kept"] = _main_directions(encoder, seen, dim, Path(pictures), work, shown, on_skip)
                encoder, spec = shortened(encoder, spec, directions)
            return export_encoder(
                encoder, spec, made, name=folder.name, fit=starts[0].fit, sample=noise,
                half=all(bool(each.model.get("half")) for each in configs), training=record, figures={},
            )  # fmt: skip
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _check(encoders: Sequence[str | Path], dim: int | None, pictures: str | Path | None) -> None:
    if dim is not None and dim < 1:
        raise UsageError(f"dim must be 1 or more, not {dim}")
    if (dim is None) != (pictures is None):
        raise UsageError("dim and pictures go together: the pictures show which numbers of an embedding say most")
    if len(encoders) < (2 if dim is None else 1):
        raise UsageError(f"{len(encoders)} encoder to join; name two or more, or shorten the one with --dim")


def _main_directions(
    encoder: ImageEncoder,
    seen: PixelSpec,
    dim: int,
    place: Path,
    work: Path,
    progress: Progress,
    on_skip: Callable[[Skip], object] | None,
) -> tuple[NDArray[np.float32], dict[str, JSONValue]]:
    """The directions (total, dim) of the embeddings that say most of these pictures, and a record of the choice."""
    paths, skipped = [], []
    for found in scan(place, IMAGE_SUFFIXES):
        if isinstance(found, Skip):
            skipped.append(found)
        else:
            paths.append(found.path)
    if not paths:
        raise UsageError(f"{place} holds no pictures; name a folder of such as will be searched")
    few = paths[:: -(-len(paths) // MOST_PICTURES)]
    pictures = load_pictures(few, seen, work / "pixels.npy", progress)
    skipped += pictures.skipped
    if on_skip is not None:
        for skip in skipped:
            on_skip(skip)
    if len(pictures.pixels) < dim:
        raise UsageError(f"{len(pictures.pixels)} pictures cannot show {dim} directions; name a folder with more")
    rows = np.arange(len(pictures.pixels))
    with Working(progress, len(rows), "pictures", "encoding"):
        vectors = embed_rows(encoder, Arrays(pictures.pixels), rows, progress=progress)
    directions = main_directions(vectors, dim)
    # Of unit vectors, the part that is left of their squared length.
    share = float(np.square(vectors @ directions, dtype=np.float64).sum() / len(vectors))
    return directions, {
        "dim": dim, "of": vectors.shape[1], "pictures": len(vectors), "skipped": len(skipped),
        "share_of_squared_length": round(share, 5),
    }  # fmt: skip


def shortened(
    encoder: ImageEncoder, spec: ModelSpec, directions: NDArray[np.float32]
) -> tuple[ImageEncoder, ModelSpec]:
    """The encoder that keeps these directions of its embeddings."""
    shorter = replace(spec, dim=directions.shape[1])
    made = build(shorter, mean=(0.0,) * spec.channels, std=(1.0,) * spec.channels)
    made.load_state_dict({**encoder.state_dict(), "trunk.kept.weight": torch.from_numpy(directions.T.copy())})
    return made, shorter


def _side_by_side(specs: Sequence[ModelSpec], configs: Sequence[EncoderConfig]) -> ModelSpec:
    """The joined network, with the input of the largest member. Raises UsageError when the others cannot use that."""
    largest = max(range(len(specs)), key=lambda number: specs[number].width)
    first = specs[largest]
    seen = {"fit": configs[largest].fit, **{name: getattr(first, name) for name in SHARED}}
    for spec, config in zip(specs, configs, strict=True):
        for name, value in {"fit": config.fit, **{name: getattr(spec, name) for name in SHARED}}.items():
            if value != seen[name]:
                raise UsageError(
                    f"{config.name} has {name} {value!r} and {configs[largest].name} {seen[name]!r}; encoders that "
                    "are joined look at the same pictures"
                )
        factor = first.width // spec.width
        if (spec.width * factor, spec.height * factor) != (first.width, first.height):
            raise UsageError(
                f"{config.name} takes {spec.width}x{spec.height} and {configs[largest].name} "
                f"{first.width}x{first.height}; the sides of an encoder that is joined to a larger one are a whole "
                "fraction of that one's, as a half"
            )
    return ModelSpec(
        "joined", first.width, first.height, first.channels, sum(each.dim for each in specs), views=first.views,
        members=tuple(specs),
    )  # fmt: skip


def _record(configs: Sequence[EncoderConfig]) -> dict[str, JSONValue]:
    """Which encoders were joined, how each was made, and the classes that none of them has seen in training."""
    unseen = [_held_out(each) for each in configs]
    return {
        "joined": [
            {"name": each.name, "fingerprint": each.fingerprint, "training": dict(each.training)} for each in configs
        ],
        "held_out": [name for name in unseen[0] if all(name in others for others in unseen)],
    }


def _held_out(config: EncoderConfig) -> Sequence[JSONValue]:
    found = config.training.get("held_out")
    return found if isinstance(found, list) else []
