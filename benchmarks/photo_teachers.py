"""Trains the four teachers of `photo` on a GPU and joins them: see its card and docs/decisions/0030.

Each is a residual network of 11.4 million parameters. Between its embedding and the classifier stand two layers that
are thrown away afterwards, so that the embedding need not forget what tells pictures of one class apart (Wang et al.
2022). Three of them also learn by which quarter turn pictures were turned (Gidaris et al. 2019), and one of these sees
half of its batches mixed or patched together (Zhang et al. 2018, Yun et al. 2019).
"""

from __future__ import annotations

import argparse
import copy
import math
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from simsearch.media.labelled import read_labelled
from simsearch.progress import Silent
from simsearch.training.augment import augment
from simsearch.training.dataset import Dataset, load_dataset
from simsearch.training.directions import even_directions, projected
from simsearch.training.export import export_encoder
from simsearch.training.finishing import held_out
from simsearch.training.joining import join, shortened
from simsearch.training.losses import CosineClassifier
from simsearch.training.measure import embed_rows, one_shot
from simsearch.training.models import ImageEncoder, ModelSpec, build
from simsearch.training.objective import follow
from simsearch.training.presets import preset
from simsearch.training.processes import computing_in, default_device, precision_of
from simsearch.training.recipes import on_everything
from simsearch.training.starting import start_from
from simsearch.training.within import within_classes

DEEP = ModelSpec(
    "residual", 64, 64, 3, 512, widths=(64, 128, 256, 512), stem_width=64, first_stride=2, blocks=(2, 2, 2, 2)
)
WIDE = replace(DEEP, widths=(96, 192, 384, 768), blocks=())
BATCH = 512
RATE = 0.2
DECAY = 5e-4
AVERAGING = 0.998
TURN_WEIGHT = 0.5
HIDDEN = 256
TELL_EVERY = 250
JOINED_DIM = 128
WITHIN_POWER = 0.15
SHOWING = 5_000
"""Photos that show which directions of the joined embeddings say most."""


@dataclass(frozen=True)
class Plan:
    name: str
    spec: ModelSpec
    turns: bool
    mixed: float
    """Share of the batches that are mixed or patched together."""
    kept_at: float
    """Share of the schedule after which validation was best, and training ends."""
    steps: tuple[int, int]
    """Of the whole schedule: with classes held out, and with none."""


PLANS = (
    Plan("plain", DEEP, turns=False, mixed=0.0, kept_at=0.8, steps=(5_183, 5_363)),
    Plan("turns", DEEP, turns=True, mixed=0.0, kept_at=0.8, steps=(3_524, 3_844)),
    Plan("mixed", DEEP, turns=True, mixed=0.5, kept_at=1.0, steps=(3_756, 3_727)),
    Plan("wide", WIDE, turns=True, mixed=0.0, kept_at=0.8, steps=(4_072, 4_216)),
)


class Pupil(nn.Module):
    """A teacher while it learns itself: its encoder, and what is thrown away afterwards."""

    def __init__(self, encoder: ImageEncoder, spec: ModelSpec, classes: int, *, turns: bool) -> None:
        super().__init__()
        self.encoder = encoder
        self.thrown_away = nn.Sequential(
            nn.ReLU(), nn.Linear(spec.dim, HIDDEN, bias=False), nn.BatchNorm1d(HIDDEN, affine=False)
        )
        self.classifier = CosineClassifier(HIDDEN, classes)
        self.turn_of = nn.Linear(spec.widths[-1], 4) if turns else None

    def forward(self, images: Tensor, upright: int) -> tuple[Tensor, Tensor | None]:
        """What the classifier takes of the first `upright` images, and turns of a sixth of them and of the rest."""
        maps = self.encoder.trunk[:-2](self.encoder.standardized(images))
        placed = self.thrown_away(self.encoder.trunk[-2:](maps[:upright]))
        return placed, None if self.turn_of is None else self.turn_of(maps[upright - upright // 6 :])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="tiny-imagenet-150: class folders of photos of 64x64 pixels")
    parser.add_argument("-o", "--out", type=Path, required=True, help="the folder for the encoders, `joined` is all")
    parser.add_argument("--everything", action="store_true", help="hold no class out")
    parser.add_argument("--steps", type=int, help="of every schedule, instead of those of the card")
    options = parser.parse_args()
    if options.steps is not None and options.steps < 1:
        parser.error(f"--steps {options.steps}: each takes one step at least")
    there = [folder for name in ("joined", *(plan.name for plan in PLANS)) if (folder := options.out / name).exists()]
    if there:
        parser.error(f"{there[0]} exists; choose another -o, or take it away")
    recipe = preset("photo")
    recipe = on_everything(recipe) if options.everything else recipe
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        data = load_dataset(
            read_labelled(options.folder), recipe, test=(), tokenizer=b"", cache=Path(scratch) / "pixels.npy",
            progress=Silent(),
        )  # fmt: skip
        for number, plan in enumerate(PLANS):
            steps = options.steps or plan.steps[options.everything]
            seed = number + 100 * options.everything
            encoder = taught(data, plan, steps, seed)
            write(encoder, data, plan, steps, seed, options.out / plan.name)
        write_joined(data, [options.out / plan.name for plan in PLANS], Path(scratch), options.out / "joined")


def taught(data: Dataset, plan: Plan, steps: int, seed: int) -> ImageEncoder:
    """The running mean of the weights of a network that learns the training classes."""
    device = default_device()
    torch.backends.cudnn.benchmark = True
    torch.manual_seed(seed)
    pixels = torch.from_numpy(np.asarray(data.inputs.batch(data.train.rows))).to(device)
    labels = torch.from_numpy(np.unique(data.train.labels, return_inverse=True)[1]).to(device)
    sample = pixels[:: max(1, len(pixels) // 2_000)].cpu().numpy().astype(np.float64) / 255
    mean, std = sample.mean(axis=(0, 1, 2)), sample.std(axis=(0, 1, 2))
    encoder = build(plan.spec, mean=tuple(mean.round(4).tolist()), std=tuple(std.round(4).tolist()))
    pupil = Pupil(encoder, plan.spec, data.training_classes, turns=plan.turns)
    pupil = pupil.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.SGD(pupil.parameters(), RATE, momentum=0.9, nesterov=True, weight_decay=DECAY)
    average = copy.deepcopy(encoder).requires_grad_(False)
    run = torch.compile(pupil) if device.type == "cuda" else pupil
    precision = precision_of("auto", device)
    order = torch.randperm(len(pixels), device=device)
    place, last = 0, math.ceil(plan.kept_at * steps)
    for step in range(last):
        optimizer.param_groups[0]["lr"] = rate(step / steps)
        if place + BATCH > len(order):
            order, place = torch.randperm(len(pixels), device=device), 0
        rows, place = order[place : place + BATCH], place + BATCH
        seen, partner, share, turns = views(encoder.prepare(pixels[rows]), plan)
        pupil.train()
        with computing_in(precision, device):
            placed, told = run(seen, len(rows))
        embeddings = F.normalize(placed.float(), dim=1)
        loss = share * pupil.classifier(embeddings, labels[rows])
        if share < 1.0:
            loss = loss + (1.0 - share) * pupil.classifier(embeddings, labels[rows][partner])
        if told is not None:
            loss = loss + TURN_WEIGHT * F.cross_entropy(told.float(), turns)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(pupil.parameters(), 5.0)
        optimizer.step()
        follow(average, encoder, step, AVERAGING)
        if (step + 1) % TELL_EVERY == 0 or step + 1 == last:
            print(f"{plan.name}, step {step + 1:,}: loss {loss.item():.3f}{validation(average, data)}", flush=True)
    return average.cpu().to(memory_format=torch.contiguous_format).requires_grad_(True)


@torch.no_grad()
def views(images: Tensor, plan: Plan) -> tuple[Tensor, Tensor, float, Tensor]:
    """A view of each image, and behind them turned ones of half of them where turns are told.

    With them the partner that each was mixed with, the share of its own, and the turns of the last sixth and of those
    behind it.
    """
    seen = augment(images, "photo")
    count = len(seen)
    third = count // 6
    turned = [torch.rot90(seen[third * turn : third * (turn + 1)], turn + 1, (2, 3)) for turn in range(3)]
    turns = torch.arange(4, device=seen.device).repeat_interleave(third)
    partner, share = torch.arange(count, device=seen.device), 1.0
    if torch.rand(()).item() < plan.mixed:
        partner, share = torch.randperm(count, device=seen.device), torch.rand(()).item()
        seen, share = mixed(seen, seen[partner], share)
    seen = torch.cat([seen, *turned]) if plan.turns else seen
    return seen.contiguous(memory_format=torch.channels_last), partner, share, turns


def mixed(images: Tensor, others: Tensor, share: float) -> tuple[Tensor, float]:
    """The images with a share of the others, all over or in a window, and which share is their own."""
    if torch.rand(()).item() < 0.5:
        return images * share + others * (1.0 - share), share
    side = images.shape[2]
    half = round(side * math.sqrt(1.0 - share)) // 2
    top, left = torch.randint(side, (2,)).tolist()
    window = (..., slice(max(0, top - half), min(side, top + half)), slice(max(0, left - half), min(side, left + half)))
    patched = images.clone()
    patched[window] = others[window]
    return patched, 1.0 - others[window][0, 0].numel() / side**2


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


def write(encoder: ImageEncoder, data: Dataset, plan: Plan, steps: int, seed: int, folder: Path) -> None:
    folder.mkdir()
    sample = data.inputs.batch(data.train.rows[:256]).numpy()
    export_encoder(
        encoder.eval(), plan.spec, folder, name=folder.name, fit="crop", sample=sample, half=False, figures={},
        training={"seed": seed, "steps": steps, "kept_at": plan.kept_at, "turns": plan.turns, "mixed": plan.mixed,
                  "batch": BATCH, "rate": RATE, "split_by": data.split.by, "held_out": held_out(data),
                  "digest": data.digest},
    )  # fmt: skip


def write_joined(data: Dataset, teachers: Sequence[Path], scratch: Path, folder: Path) -> None:
    """The encoder of all teachers, in the directions that say most once those count less that vary within classes."""
    config = join(teachers, scratch / "side-by-side")
    start = start_from(str(scratch / "side-by-side"))
    assert isinstance(start.encoder, ImageEncoder) and isinstance(start.spec, ModelSpec)
    vectors = embed_rows(start.encoder.to(default_device()), data.inputs, data.train.rows)
    assert data.train.labels is not None
    evened = within_classes(vectors, data.train.labels, WITHIN_POWER)
    few = projected(vectors[:: max(1, len(vectors) // SHOWING)], evened)
    kept = evened @ even_directions(few, JOINED_DIM)
    encoder, spec = shortened(start.encoder.cpu(), start.spec, kept)
    folder.mkdir()
    sample = data.inputs.batch(data.train.rows[:256]).numpy()
    export_encoder(
        encoder.eval(), spec, folder, name=folder.name, fit="crop", sample=sample, half=False, figures={},
        training={**config.training, "within_class_power": WITHIN_POWER},
    )  # fmt: skip


if __name__ == "__main__":
    main()
