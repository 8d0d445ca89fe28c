"""Images per second of an encoder, compared with its bare ONNX session and the same network in torch.

256 prepared images, all cores; the three take turns in one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import onnxruntime
import torch
from measuring import Bar, Report, interleaved

import simsearch
from simsearch.encoders.folder import ONNX_NAME
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.media.ahead import usable_cpus
from simsearch.media.images import Picture
from simsearch.training.finetuning.initial import load_initial_encoder

PICTURES, BATCH = 256, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default="photo")
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    encoder = simsearch.open_encoder(options.encoder)
    assert isinstance(encoder, OnnxEncoder)
    spec = encoder.spec
    shape = (PICTURES, spec.height, spec.width, spec.channels)
    pixels = np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)
    pictures = [Picture(each, spec.width, spec.height) for each in pixels]
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads = usable_cpus()
    session = onnxruntime.InferenceSession(
        (encoder.folder / ONNX_NAME).read_bytes(), settings, providers=["CPUExecutionProvider"]
    )
    network = load_initial_encoder(options.encoder).encoder.eval()
    torch.set_num_threads(usable_cpus())

    def bare() -> None:
        for start in range(0, PICTURES, BATCH):
            session.run(["embeddings"], {"pixels": pixels[start : start + BATCH]})

    def torched() -> None:
        with torch.inference_mode():
            for start in range(0, PICTURES, BATCH):
                network(torch.from_numpy(pixels[start : start + BATCH]))

    ways: dict[str, Callable[[], float]] = {
        "simsearch": partial(seconds, lambda: encoder.embed(pictures)),
        f"bare session, {BATCH} at once": partial(seconds, bare),
        "torch": partial(seconds, torched),
    }
    interleaved(ways, 1)
    taken = interleaved(ways, options.turns)
    ours, *others = taken.values()
    Report(
        f"encoding-{encoder.name}",
        "Encoding costs hardly more than the network itself.",
        f"{PICTURES} images of random pixels, {options.turns} turns",
        [
            ("way", "images a second, median", "most", "least"),
            *[
                (name, *[f"{PICTURES / each:.0f}" for each in (statistics.median(t), min(t), max(t))])
                for name, t in taken.items()
            ],
        ],
        [
            Bar.ratio(f"time of simsearch against {name}", ours, other)
            for name, other in zip(list(ways)[1:], others, strict=True)
        ],
    ).publish()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
