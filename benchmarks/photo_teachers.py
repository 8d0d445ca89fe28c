"""Trains the two teachers of `photo`, which are too large to ship, for a GPU: see its card and docs/decisions/0029.

Each is a residual network of 11.4 million parameters. Between its embedding and the classifier stand two layers that
are thrown away afterwards, so that the embedding need not forget what tells pictures of one class apart (Wang et al.
2022). The second also learns by which quarter turn half of the pictures were turned (Gidaris et al. 2019).
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from simsearch.media.labelled import read_labelled
from simsearch.progress import Silent
from simsearch.training.augment import augment, posed
from simsearch.training.dataset import Dataset, load_dataset
from simsearch.training.export import export_encoder
from simsearch.training.finishing import held_out
from simsearch.training.losses import CosineClassifier
from simsearch.training.measure import embed_rows, one_shot
from simsearch.training.models import ImageEncoder, ModelSpec, build
from simsearch.training.objective import follow
from simsearch.training.presets import preset
from simsearch.training.processes import computing_in, default_device, precision_of
from simsearch.training.recipes import on_everything

SPEC = ModelSpec(
    "residual", 64, 64, 3, 512, widths=(64, 128, 256, 512), stem_width=64, first_stride=2, blocks=(2, 2, 2, 2),
    views=("plain", "mirror"),
)  # fmt: skip
BATCH = 256
RATE = 0.1
DECAY = 5e-4
AVERAGING = 0.999
TURN_WEIGHT = 0.5
HIDDEN = 256
TELL_EVERY = 500


@dataclass(frozen=True)
class Plan:
    steps: int
    seed: int
    turns: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="tiny-imagenet-150: class folders of photos of 64x64 pixels")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the folder for the encoders large-0 and large-1")
    parser.add_argument("--everything", action="store_true", help="hold no class out")
    parser.add_argument("--steps", type=int, nargs=2, default=(3_176, 2_366), help="of the first and of the second")
    options = parser.parse_args()
    if min(options.steps) < 1:
        parser.error(f"--steps {min(options.steps)}: each takes one step at least")
    there = [folder for number in range(2) if (folder := options.out / f"large-{number}").exists()]
    if there:
        parser.error(f"{there[0]} exists; choose another -o, or take it away")
    recipe = replace(preset("photo"), model=SPEC)
    recipe = on_everything(recipe) if options.everything else recipe
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = load_dataset(
            read_labelled(options.folder), recipe, test=(), tokenizer=b"", cache=Path(scratch) / "pixels.npy",
            progress=Silent(),
        )  # fmt: skip
        for number, steps in enumerate(options.steps):
            plan = Plan(steps, 10 + number if options.everything else 0, turns=number == 1)
            encoder = taught(data, plan)
            write(encoder, data, plan, options.out / f"large-{number}")


def taught(data: Dataset, plan: Plan) -> ImageEncoder:
    """The running mean of the weights of a network that learns the training classes."""
    device = default_device()
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(plan.seed)
    pixels = torch.from_numpy(np.asarray(data.inputs.batch(data.train.rows))).to(device)
    labels = torch.from_numpy(np.unique(data.train.labels, return_inverse=True)[1]).to(device)
    sample = pixels[:: max(1, len(pixels) // 2_000)].cpu().numpy().astype(np.float64) / 255
    mean, std = sample.mean(axis=(0, 1, 2)), sample.std(axis=(0, 1, 2))
    encoder = build(SPEC, mean=tuple(mean.round(4).tolist()), std=tuple(std.round(4).tolist()))
    encoder = encoder.to(device).to(memory_format=torch.channels_last)
    features, last = encoder.trunk[:-2], encoder.trunk[-2:]
    thrown_away = nn.Sequential(
        nn.ReLU(), nn.Linear(SPEC.dim, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN, affine=False)
    ).to(device)
    classifier = CosineClassifier(HIDDEN, data.training_classes).to(device)
    turn_of = nn.Linear(SPEC.widths[-1], 4).to(device)
    learning = [*encoder.parameters(), *thrown_away.parameters(), *classifier.parameters()]
    learning += list(turn_of.parameters()) if plan.turns else []
    optimizer = torch.optim.SGD(learning, RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    average = copy.deepcopy(encoder).requires_grad_(False)
    precision = precision_of("auto", device)
    order = torch.randperm(len(pixels), device=device)
    place = 0
    for step in range(plan.steps):
        optimizer.param_groups[0]["lr"] = rate(step / plan.steps)
        if place + BATCH > len(order):
            order, place = torch.randperm(len(pixels), device=device), 0
        rows, place = order[place : place + BATCH], place + BATCH
        with torch.no_grad():
            seen = augment(encoder.prepare(pixels[rows]), "photo")
            turns = torch.randint(1, 4, (len(rows) // 2,), device=device)
            if plan.turns:
                seen = torch.cat([seen, posed(seen[: len(turns)], turns)])
            seen = seen.contiguous(memory_format=torch.channels_last)
        encoder.train()
        with computing_in(precision, device):
            maps = features(encoder.standardized(seen))
            placed = thrown_away(last(maps[: len(rows)]))
        loss = classifier(F.normalize(placed.float(), dim=1), labels[rows])
        if plan.turns:
            # A third as many that were not turned, of those whose turned variant is not in the batch.
            upright = maps[len(turns) : len(turns) + len(turns) // 3]
            told = turn_of(torch.cat([upright, maps[len(rows) :]]).float())
            loss = loss + TURN_WEIGHT * F.cross_entropy(told, torch.cat([turns.new_zeros(len(upright)), turns]))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(learning, 5.0)
        optimizer.step()
        follow(average, encoder, step, AVERAGING)
        if (step + 1) % TELL_EVERY == 0 or step + 1 == plan.steps:
            print(f"step {step + 1:,}: loss {loss.item():.3f}{validation(average, data)}", flush=True)
    return average.cpu().to(memory_format=torch.contiguous_format).requires_grad_(True)


def rate(done: float) -> float:
    """Rises over 2 %, stays until half, then falls along half a cosine to a tenth."""
    if done < 0.02:
        return RATE * done / 0.02
    return RATE * (1.0 if done < 0.5 else 0.1 + 0.45 * (1.0 + math.cos(math.pi * (done - 0.5) / 0.5)))


def validation(average: ImageEncoder, data: Dataset) -> str:
    if data.split.by != "class":
        return ""
    vectors = embed_rows(average, data.inputs, data.validation.rows)
    found = one_shot(data.validation, vectors, most_ways=5, seed=0)
    return "" if found is None else f", validation classes {found.ways}-way {found.accuracy:.1%}"


def write(encoder: ImageEncoder, data: Dataset, plan: Plan, folder: Path) -> None:
    folder.mkdir()
    sample = data.inputs.batch(data.train.rows[:256]).numpy()
    export_encoder(
        encoder.eval(), SPEC, folder, name=folder.name, fit="crop", sample=sample, half=False, figures={},
        training={"seed": plan.seed, "steps": plan.steps, "turns": plan.turns, "batch": BATCH, "rate": RATE,
                  "split_by": data.split.by, "held_out": held_out(data), "digest": data.digest},
    )  # fmt: skip


if __name__ == "__main__":
    main()
