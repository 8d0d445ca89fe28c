"""Conversion of an ONNX file of an image model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encoders.converting.graphs.files import Input, named, output_of, run_original
from simsearch.encoders.converting.graphs.storage import Around, pooled, stored
from simsearch.encoders.converting.graphs.surgery import Surgery, embeddings_behind, pixels_before
from simsearch.encoders.converting.parity import PARITY, PARITY_IN_HALF
from simsearch.encoders.converting.samples import noise
from simsearch.encoders.folder import ONNX_NAME, EncoderConfig
from simsearch.errors import EncoderError, UsageError
from simsearch.manifest import write_atomically
from simsearch.media.images import PixelSpec

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from simsearch.encoders.converting.graphs.options import OnnxOptions

OF_TEXTS = ("tokenizer", "max_tokens")
"""The options that do not apply to image models."""
SAMPLE = 4
"""Images on which the file and what it was converted to are compared."""
FLOATS = {1: np.float32, 10: np.float16, 11: np.float64}
"""The supported data types of the input, by their ONNX codes."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The input images of a network."""

    input: Input
    nchw: bool
    width: int
    height: int
    channels: int


def convert_onnx_pictures(
    path: Path, model: Any, given: list[Input], made: Path, config: EncoderConfig, options: OnnxOptions, bits: int
) -> EncoderConfig:
    """Writes the network into the folder `made`; returns `config` with its fields. Raises EncoderError, and
    UsageError for options that do not fit the file."""
    idle = [name for name in options.given() if name in OF_TEXTS]
    if idle:
        raise UsageError(f"{path} is an image model, to which --{idle[0].replace('_', '-')} does not apply")
    wanted, output = wanted_pictures(given, options, path), output_of(model, options.output, path)
    PixelSpec(wanted.width, wanted.height, wanted.channels, options.fit)
    factor, offset = _affine(options, wanted, path)
    sample = noise(wanted.width, wanted.height, wanted.channels, SAMPLE)
    taken = _prepared(sample, wanted, options.bgr, factor, offset)
    one_by_one = wanted.input.shape[0] == 1
    first = run_original(model, {wanted.input.name: taken[:1]}, output, path, one_by_one=True)
    pooled(first, options.pooling, None, path, output)

    def original(changed: Any) -> NDArray[np.float32]:
        found = run_original(changed, {wanted.input.name: taken}, output, path, one_by_one=one_by_one)
        return pooled(found, options.pooling, None, path, output)

    operated = partial(_operated, wanted, options, factor, offset, output, first.ndim)
    most = PARITY_IN_HALF if FLOATS[wanted.input.kind] == np.float16 else PARITY
    found = stored(model, Around(path, original, operated, "pixels", sample, most), bits)
    write_atomically(made / ONNX_NAME, found.content)
    return replace(
        config,
        modality="image",
        dim=found.dim,
        width=wanted.width,
        height=wanted.height,
        channels=wanted.channels,
        fit=options.fit,
        resample=options.resample,
        layers=(found.layer,),
        figures=found.figures,
    ).sealed(made)


def wanted_pictures(given: list[Input], options: OnnxOptions, path: Path) -> Wanted:
    """The input images, from the shape of the only input and the options. Raises EncoderError if they contradict."""
    if len(given) != 1:
        raise EncoderError(f"{path} has {len(given)} inputs ({named(given)}); an image model has one")
    (only,) = given
    if len(only.shape) != 4 or only.kind not in FLOATS:
        raise EncoderError(
            f"{path}: its input {only} is not an image input, a floating-point array of 4 axes; that of a text model "
            "is called input_ids"
        )
    nchw = _layout(only, options, path) == "nchw"
    channels, height, width = only.shape[1:] if nchw else (only.shape[3], *only.shape[1:3])
    if (channels or 3) not in (1, 3):
        raise EncoderError(f"{path}: its input {only} has {channels} channels; it must be 1 (grayscale) or 3 (color)")
    if options.size is None and not (width and height):
        raise UsageError(f"{path}: its input {only} has no fixed size; give one: --size 224 or --size WxH")
    asked = options.size or (width or 0, height or 0)
    if (width or asked[0], height or asked[1]) != asked:
        raise EncoderError(
            f"{path}: its input {only} takes images of {width or 'any'}x{height or 'any'}, not of "
            f"{asked[0]}x{asked[1]} as --size says"
        )
    return Wanted(only, nchw, *asked, channels or 3)


def _layout(only: Input, options: OnnxOptions, path: Path) -> str:
    first, last = only.shape[1] in (1, 3), only.shape[3] in (1, 3)
    if options.layout:
        side = only.shape[1 if options.layout == "nchw" else 3]
        if side not in (None, 1, 3):
            raise EncoderError(
                f"{path}: its input {only} has {side} channels in --layout {options.layout}; try the other"
            )
        return options.layout
    if first == last:
        raise UsageError(f"{path}: its input {only} does not show which axis is that of the channels; give --layout")
    return "nchw" if first else "nhwc"


def _affine(options: OnnxOptions, wanted: Wanted, path: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The factor and the offset of each channel, for pixels from 0 to 255."""
    for name, values in (("mean", options.mean), ("std", options.std)):
        if len(values) not in (1, wanted.channels):
            raise UsageError(f"{path} has {wanted.channels} channels, but --{name} has {len(values)} numbers")
    if options.bgr and wanted.channels == 1:
        raise UsageError(f"{path} takes grayscale images, to which --bgr does not apply")
    mean, std = (np.broadcast_to(np.array(each, np.float64), wanted.channels) for each in (options.mean, options.std))
    return (options.scale / 255.0 / std).astype(np.float32), (-mean / std).astype(np.float32)


def _prepared(
    pixels: NDArray[np.uint8], wanted: Wanted, bgr: bool, factor: NDArray[np.float32], offset: NDArray[np.float32]
) -> NDArray[Any]:
    """The pixels as input of the unchanged file."""
    values = (pixels[:, :, :, ::-1] if bgr else pixels).astype(np.float32) * factor + offset
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if wanted.nchw else values).astype(
        FLOATS[wanted.input.kind]
    )


def _operated(
    wanted: Wanted,
    options: OnnxOptions,
    factor: NDArray[np.float32],
    offset: NDArray[np.float32],
    output: str,
    rank: int,
    model: Any,
) -> Any:
    from onnx import TensorProto

    surgery = Surgery(model)
    pixels_before(
        surgery,
        wanted.input.name,
        kind=wanted.input.kind,
        nchw=wanted.nchw,
        bgr=options.bgr,
        factor=factor,
        offset=offset,
    )
    embeddings_behind(surgery, output, rank=rank, pooling=options.pooling)
    return surgery.finished("pixels", TensorProto.UINT8, ["batch", wanted.height, wanted.width, wanted.channels])
