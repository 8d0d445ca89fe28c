"""Training throughput of networks on one core: forward, backward and a step of SGD."""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import replace
from functools import partial

import torch
from measuring import Bar, Report, interleaved

from simsearch.training.networks.building import build
from simsearch.training.networks.encoder import ImageEncoder
from simsearch.training.networks.specification import ModelSpec

WARM_UP = 2
DRAWN = ModelSpec("residual", 32, 32, 1, 128, widths=(32, 64, 128, 192))
GLYPH = replace(DRAWN, widths=(48, 96, 192), stem_width=16, first_stride=2, pooling="flat")
SPECS = {
    "glyph before: 32-64-128-192, 32 pixels": DRAWN,
    "64-128-256, first stage halved": replace(DRAWN, widths=(64, 128, 256), stem_width=16, first_stride=2),
    "glyph: 48-96-192, first stage halved, flat": GLYPH,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--repetitions", type=int, default=5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [("network", "parameters", "channels apart", "channels of a pixel together")]
    gain: list[Bar] = []
    for name, spec in SPECS.items():
        count = sum(parameter.numel() for parameter in network(spec).parameters())
        pace_of = partial(pace, batch=options.batch, steps=options.steps)
        sides = {"apart": partial(pace_of, spec, together=False), "together": partial(pace_of, spec, together=True)}
        if spec is GLYPH:
            sides["before"] = partial(pace_of, DRAWN, together=False)
        taken = interleaved(sides, options.repetitions)
        apart, together = (statistics.median(taken[side]) for side in ("apart", "together"))
        rows.append((name, f"{count / 1e6:.2f} M", f"{apart:.0f}", f"{together:.0f}"))
        if spec is GLYPH:
            gain.append(Bar.ratio("glyph / glyph before", taken["together"], taken["before"], at_least=1))
    Report(
        "networks",
        "Images a second of one core that a network learns from: few layers see all pixels, channels lie together.",
        f"random images, batches of {options.batch}, {options.steps} steps, processor time, {options.repetitions} "
        "turns",
        rows,
        gain,
    ).publish()


def network(spec: ModelSpec) -> ImageEncoder:
    torch.manual_seed(0)
    encoder = build(spec, mean=(0.5,) * spec.channels, std=(0.25,) * spec.channels)
    encoder.train()
    return encoder


def pace(spec: ModelSpec, batch: int, steps: int, together: bool) -> float:
    """Images a second of processor time."""
    encoder = network(spec)
    optimizer = torch.optim.SGD(encoder.parameters(), 0.01, momentum=0.9, nesterov=True)
    layout = torch.channels_last if together else torch.contiguous_format
    images = torch.rand(batch, spec.channels, spec.height, spec.width).contiguous(memory_format=layout)
    started = 0.0
    for step in range(WARM_UP + steps):
        if step == WARM_UP:
            started = time.process_time()
        optimizer.zero_grad(set_to_none=True)
        encoder.embed(images)[:, 0].sum().backward()
        optimizer.step()
    return steps * batch / (time.process_time() - started)


if __name__ == "__main__":
    main()
