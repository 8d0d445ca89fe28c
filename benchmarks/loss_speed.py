"""Speed of our own losses, compared with those of pytorch-metric-learning that have the same values."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from measuring import Bar, Report, interleaved
from pytorch_metric_learning import distances, miners
from pytorch_metric_learning import losses as published
from torch import Tensor

from simsearch.training.losses import functional
from simsearch.training.losses.mining import MINING, candidates

DIM = 128
Formula = Callable[[Tensor, Tensor], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classes", type=int, default=64)
    parser.add_argument("--images", type=int, default=2, help="of each class in a batch")
    parser.add_argument("--repetitions", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    embeddings = F.normalize(torch.randn(options.classes * options.images, DIM), dim=1)
    labels = torch.arange(options.classes).repeat_interleave(options.images)
    rows, bars = [("a batch forward and back", "ours, ms", "theirs, ms", "difference of value")], []
    for name, (ours, theirs) in contenders().items():
        both = {
            "ours": partial(seconds, ours, embeddings, labels),
            "theirs": partial(seconds, theirs, embeddings, labels),
        }
        interleaved(both, 1)
        taken = interleaved(both, options.repetitions)
        medians = [f"{1000 * statistics.median(taken[side]):.2f}" for side in both]
        rows.append((name, *medians, difference(ours, theirs, embeddings, labels)))
        bars.append(Bar.ratio(f"{name}, ours / theirs", taken["ours"], taken["theirs"], at_most=1))
    Report(
        f"loss-speed-{options.classes}x{options.images}",
        "Losses and miners of our own give the same in a fraction of the time.",
        f"{len(labels)} random unit vectors of {DIM} numbers, {options.classes} classes; one thread",
        rows,
        bars,
    ).publish()


def contenders() -> dict[str, tuple[Formula, Formula]]:
    squared = distances.LpDistance(power=2)
    return {
        "lifted": (functional.lifted_structure, published.LiftedStructureLoss(neg_margin=1)),
        "infonce": (functional.infonce, published.NTXentLoss(0.1)),
        "supervised-contrastive": (functional.supervised_contrastive, published.SupConLoss(0.1)),
        "triplet": (functional.triplet, published.TripletMarginLoss(0.2, distance=squared)),
        "miner hard": (partial(mined, "hard"), miners.BatchHardMiner()),
        "miner distance-weighted": (partial(mined, "distance-weighted"), miners.DistanceWeightedMiner()),
    }


def mined(name: str, embeddings: Tensor, labels: Tensor) -> object:
    return MINING[name](candidates(embeddings, labels))


def seconds(formula: Formula, embeddings: Tensor, labels: Tensor) -> float:
    leaf = embeddings.clone().requires_grad_()
    started = time.perf_counter()
    value = formula(leaf, labels)
    if isinstance(value, Tensor):
        value.backward()
    return time.perf_counter() - started


def difference(ours: Formula, theirs: Formula, embeddings: Tensor, labels: Tensor) -> str:
    values = [formula(embeddings, labels) for formula in (ours, theirs)]
    if not all(isinstance(value, Tensor) for value in values):
        return ""
    return f"{abs(values[0] - values[1]):.1e}"


if __name__ == "__main__":
    main()
