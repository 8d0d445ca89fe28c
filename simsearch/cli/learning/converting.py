"""simsearch convert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import print_json, print_line, print_status

if TYPE_CHECKING:
    from simsearch.encoders.folder import EncoderConfig


Command = Callable[..., Any]


class _SizeType(click.ParamType[Any]):
    """One number for a square, or WIDTHxHEIGHT."""

    name = "N|WxH"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[int, int] | None:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        sides = value.lower().split("x")
        if len(sides) > 2 or not all(side.isdecimal() for side in sides):
            self.fail(f"{value!r} is neither a number of pixels nor WIDTHxHEIGHT", parameter, context)
        return int(sides[0]), int(sides[-1])


class _NumbersType(click.ParamType[Any]):
    """Numbers with commas between them."""

    name = "NUMBER,..."

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> tuple[float, ...]:
        if not isinstance(value, str):
            return value  # type: ignore[no-any-return]
        try:
            return tuple(float(part) for part in value.split(","))
        except ValueError:
            self.fail(f"{value!r} are no numbers with commas between them", parameter, context)


_IMAGE_OPTIONS = (
    click.option(
        "--size",
        type=_SizeType(),
        metavar="N|WxH",
        help="ONNX: input size, if the file leaves it open.",
    ),
    click.option(
        "--mean",
        type=_NumbersType(),
        metavar="NUMBER,...",
        default="0",
        show_default=True,
        help="ONNX: subtracted from the pixels, for each channel.",
    ),
    click.option(
        "--std",
        type=_NumbersType(),
        metavar="NUMBER,...",
        default="1",
        show_default=True,
        help="ONNX: the pixels are then divided by it, for each channel.",
    ),
    click.option(
        "--scale",
        type=float,
        default=1.0,
        show_default=True,
        help="ONNX: value of a white pixel before --mean and --std.",
    ),
    click.option(
        "--layout",
        type=click.Choice(["nchw", "nhwc"]),
        help="ONNX: order of the axes, if the file leaves it open.",
    ),
    click.option("--bgr", is_flag=True, help="ONNX: channels are in the order blue, green, red."),
    click.option(
        "--fit",
        type=click.Choice(["crop", "squash", "pad", "ink"]),
        default="crop",
        show_default=True,
        help="ONNX: how images are fitted to the input shape.",
    ),
    click.option(
        "--resample",
        type=click.Choice(["bicubic", "bilinear", "lanczos", "nearest"]),
        default="bicubic",
        show_default=True,
        help="ONNX: how images are resized.",
    ),
)
"""What an ONNX file does not specify about its input images."""

_OUTPUT_OPTIONS = (
    click.option("--output", metavar="NAME", help="ONNX: which output holds the embeddings, if there are several."),
    click.option(
        "--pooling",
        type=click.Choice(["mean", "cls"]),
        help="ONNX: how the vectors of all tokens or positions are pooled: their mean, or the first.",
    ),
    click.option(
        "--tokenizer",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="ONNX: the tokenizer.json of a text model.  [default: the one beside it]",
    ),
    click.option(
        "--max-tokens",
        type=click.IntRange(1),
        metavar="N",
        help="ONNX: maximum number of tokens of a text.  [default: that of tokenizer.json]",
    ),
)
"""What an ONNX file does not specify about its output, and about texts."""


def _onnx_options(command: Command) -> Command:
    for option in reversed(_IMAGE_OPTIONS + _OUTPUT_OPTIONS):
        command = option(command)
    return command


@click.command("convert")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--out", required=True, metavar="FOLDER", help="Encoder folder to write, such as encoders/NAME.")
@click.option(
    "--bits", type=click.Choice(["32", "16", "8"]), default="16", show_default=True, help="Bits of each stored weight."
)
@_onnx_options
@click.option("--overwrite", is_flag=True, help="Replace an existing encoder.")
@json_option
@quiet_option
def convert_command(
    source: str,
    out: str,
    bits: str,
    size: tuple[int, int] | None,
    mean: tuple[float, ...],
    std: tuple[float, ...],
    scale: float,
    layout: str | None,
    bgr: bool,
    fit: str,
    resample: str,
    output: str | None,
    pooling: str | None,
    tokenizer: Path | None,
    max_tokens: int | None,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Convert a pretrained model to an encoder folder.

    Using it needs neither torch nor the model's library. SOURCE is a name on the Hugging Face hub, OWNER/MODEL (an
    image model, a text model, or both as CLIP, with which words find images), a folder in the hub's format, or an ONNX
    file NAME.onnx. The options for ONNX files must match the preprocessing that the model was trained with; --mean and
    --std are for pixels in [0, 1] and in the order of the model's channels.

    The embeddings are compared with those of the model itself; if they differ, no encoder is written.
    """
    from simsearch.encoders.converting import OnnxOptions, convert

    how = OnnxOptions(
        size=size,
        mean=mean,
        std=std,
        scale=scale,
        layout=layout,
        bgr=bgr,
        fit=fit,
        resample=resample,
        output=output,
        pooling=pooling,
        tokenizer=tokenizer,
        max_tokens=max_tokens,
    )
    if not quiet:
        print_status(f"converting {source}: takes seconds for a small model, minutes for a large one")
    made = convert(source, out, bits=int(bits), onnx=how, overwrite=overwrite)
    _report(made, out, as_json=as_json, quiet=quiet)
    return 0


def _report(made: EncoderConfig, out: str, *, as_json: bool, quiet: bool) -> None:
    size = sum(record.size for record in made.files.values())
    if as_json:
        print_json(
            {
                "folder": out,
                "fingerprint": made.fingerprint,
                "modality": made.modality,
                "dim": made.dim,
                "words": made.words is not None,
                "parameters": made.parameters,
                "bytes": size,
                **made.model,
                **made.figures,
            }
        )
    elif not quiet:
        words = " and words" if made.words else ""
        print_line(f"{out}: {made.modality}s{words} to {made.dim} dimensions, {size / 1e6:,.1f} MB")
        for name, value in made.figures.items():
            print_line(f"{name.replace('_', ' ')}  {value:.4g}" if isinstance(value, float) else f"{name}  {value}")
        print_line(f"Use it: simsearch index FOLDER --encoder {out}")
