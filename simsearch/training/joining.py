"""Trained encoders put side by side in one encoder folder."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.encoders.folder import EncoderConfig, encoder_folder, read_config
from simsearch.errors import UsageError
from simsearch.training.export import export_encoder
from simsearch.training.models import ImageEncoder, ModelSpec, build
from simsearch.training.placing import placed, require_place
from simsearch.training.starting import start_from

if TYPE_CHECKING:
    from simsearch.types import JSONValue

SAMPLE = 16
"""Pictures of noise on which torch and ONNX Runtime are compared."""
SHARED = ("channels", "views")
"""What the members' networks must have in common beside the fit."""


def join(encoders: Sequence[str | Path], out: str | Path, *, overwrite: bool = False) -> EncoderConfig:
    """Makes the folder `out` with these image encoders as one: its score is the mean of theirs.

    Each name is that of an encoder that ships or a folder. An embedding is as long as theirs together, and takes as
    long. Raises UsageError when they do not take the same pictures, EncoderError for what is no encoder of ours.
    """
    folder = Path(out)
    require_place(folder, overwrite=overwrite)
    if len(encoders) < 2:
        raise UsageError(f"{len(encoders)} encoder to join; name two or more")
    configs = [read_config(encoder_folder(str(name))) for name in encoders]
    starts = [start_from(str(name)) for name in encoders]
    members, specs = [], []
    for start in starts:
        if not isinstance(start.encoder, ImageEncoder) or not isinstance(start.spec, ModelSpec):
            raise UsageError(f"{start.name} is an encoder of texts; only those of images can be joined")
        members.append(start.encoder)
        specs.append(start.spec)
    spec = _side_by_side(specs, configs)
    encoder = build(spec, mean=(0.0,) * spec.channels, std=(1.0,) * spec.channels)
    for number, member in enumerate(members):
        encoder.trunk.get_submodule(f"members.{number}").load_state_dict(member.state_dict())
    noise = np.random.default_rng(0).integers(0, 256, (SAMPLE, spec.height, spec.width, spec.channels), np.uint8)
    work = folder.with_name(folder.name + ".joining")
    try:
        with placed(folder, work) as made:
            return export_encoder(
                encoder, spec, made, name=folder.name, fit=starts[0].fit, sample=noise,
                half=all(bool(each.model.get("half")) for each in configs), training=_record(configs), figures={},
            )  # fmt: skip
    finally:
        shutil.rmtree(work, ignore_errors=True)


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
