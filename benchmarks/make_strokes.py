"""Builds the encoder `strokes` from the first blocks of `photo` and the drawings of Omniglot.

    python benchmarks/make_strokes.py omniglot-background -o strokes

There is no gradient descent: the features are standardized by the drawings and projected to their principal components,
which are the head. The same drawings and seed give the same encoder.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from simsearch.encoders.folder import encoder_folder, read_config
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import PixelSpec, decode, read_file
from simsearch.media.scan import scan
from simsearch.training.distillation.principal_components import principal_components
from simsearch.training.export.folder import export_encoder, round_weights
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.networks.building import build
from simsearch.training.networks.efficientnet import MEAN, STD
from simsearch.training.networks.encoder import ImageEncoder
from simsearch.training.networks.specification import ModelSpec
from simsearch.training.networks.strokes import STROKE_FEATURES, Strokes
from simsearch.types import Skip

SPEC = ModelSpec("strokes", 448, 224, 1, 256, head=True, features=STROKE_FEATURES)
FIT = "ink"
BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("drawings", type=Path, help="the folder of Omniglot's background set")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=2_000, help="how many drawings are looked at")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    files = sorted(entry.path for entry in scan(options.drawings, IMAGE_SUFFIXES) if not isinstance(entry, Skip))
    chosen = np.sort(np.random.default_rng(options.seed).permutation(len(files))[: options.count])
    encoder = fitted([files[place] for place in chosen])
    options.out.mkdir(parents=True)
    photo = read_config(encoder_folder("photo"))
    export_encoder(
        encoder,
        SPEC,
        options.out,
        name="strokes",
        fit=FIT,
        half=True,
        figures={},
        sample=np.stack([pixels_of(files[place]) for place in chosen[:16]]),
        training={
            "backbone": "the first blocks of photo",
            "backbone_fingerprint": photo.fingerprint,
            "learned": photo.training["learned"],
            "drawings": options.drawings.name,
            "inputs": len(chosen),
            "seed": options.seed,
            "seconds": round(time.monotonic() - began),
        },
    )
    print(f"{options.out} in {time.monotonic() - began:.0f} s")


def fitted(files: list[str]) -> ImageEncoder:
    """The encoder, its features standardized by these drawings, its head along their principal directions."""
    encoder = begun()
    strokes = encoder.trunk
    assert isinstance(strokes, Strokes)
    with torch.inference_mode():
        pooled = torch.cat(
            [
                strokes.pooled(encoder.standardized(encoder.prepare(pixels_in(files[start : start + BATCH]))))
                for start in range(0, len(files), BATCH)
            ]
        ).clone()
    strokes.standardize(pooled)
    features = ((pooled - strokes.centre) * strokes.gain).numpy()
    assert isinstance(encoder.head, nn.Linear)
    with torch.no_grad():
        encoder.head.weight.copy_(torch.from_numpy(principal_components(features, SPEC.dim).T))
        # Nearly zero, as features are centred. Of exact zeros the exporter would leave nothing to train on.
        encoder.head.bias.copy_(encoder.head.weight @ -torch.from_numpy(features.mean(axis=0)))
    round_weights(encoder)
    return encoder


def begun() -> ImageEncoder:
    """The encoder with the blocks of `photo`, which see the same gray in all three channels, and a random head."""
    encoder = build(SPEC, mean=(MEAN,), std=(STD,)).eval()
    photo = load_initial_encoder("photo").encoder.trunk.state_dict()
    wanted = encoder.trunk.front.state_dict()
    weights = {name: photo[name] for name in wanted}
    # Three equal channels through three kernels are one channel through their sum.
    first = "0.convolution.weight"
    weights[first] = weights[first].sum(dim=1, keepdim=True)
    encoder.trunk.front.load_state_dict(weights)
    round_weights(encoder)
    return encoder


def pixels_of(path: str) -> NDArray[np.uint8]:
    return decode(read_file(Path(path)), PixelSpec(SPEC.width, SPEC.height, SPEC.channels, FIT)).pixels


def pixels_in(files: list[str]) -> Tensor:
    return torch.from_numpy(np.stack([pixels_of(file) for file in files]))


if __name__ == "__main__":
    main()
