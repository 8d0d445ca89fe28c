"""simsearch convert."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import say, say_json, tell

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


def _picture_options(command: Command) -> Command:
    """What an ONNX file does not say about the pictures that it takes."""
    for option in reversed(
        [
            click.option(
                "--size",
                type=_SizeType(),
                metavar="N|WxH",
                help="ONNX: sides of the pictures, where the file leaves them open.",
            ),
            click.option(
                "--mean",
                type=_NumbersType(),
                metavar="NUMBER,...",
                default="0",
                show_default=True,
                help="ONNX: what is taken from the pixels of each channel.",
            ),
            click.option(
                "--std",
                type=_NumbersType(),
                metavar="NUMBER,...",
                default="1",
                show_default=True,
                help="ONNX: what they are then divided by.",
            ),
            click.option(
                "--scale", type=float, default=1.0, show_default=True, help="ONNX: the value of white before that."
            ),
            click.option(
                "--layout", type=click.Choice(["nchw", "nhwc"]), help="ONNX: where the colours are, if that is open."
            ),
            click.option("--bgr", is_flag=True, help="ONNX: the model takes blue before green before red."),
            click.option(
                "--fit",
                type=click.Choice(["crop", "squash", "pad", "ink"]),
                default="crop",
                show_default=True,
                help="ONNX: what becomes of pictures of another shape.",
            ),
            click.option(
                "--resample",
                type=click.Choice(["bicubic", "bilinear", "lanczos", "nearest"]),
                default="bicubic",
                show_default=True,
                help="ONNX: how pictures are resized.",
            ),
        ]
    ):
        command = option(command)
    return command


def _output_options(command: Command) -> Command:
    """What it does not say about its output, and about texts."""
    for option in reversed(
        [
            click.option(
                "--output", metavar="NAME", help="ONNX: which output has the embeddings, if there are several."
            ),
            click.option(
                "--pooling",
                type=click.Choice(["mean", "cls"]),
                help="ONNX: what becomes of a vector for each token or place: their mean, or the first.",
            ),
            click.option(
                "--tokenizer",
                type=click.Path(path_type=Path),
                metavar="FILE",
                help="ONNX: the tokenizer.json of a text model.  [default: beside it]",
            ),
            click.option(
                "--max-tokens",
                type=click.IntRange(1),
                metavar="N",
                help="ONNX: most tokens of a text.  [default: as tokenizer.json]",
            ),
        ]
    ):
        command = option(command)
    return command


@click.command("convert")
@click.argument("source", metavar="SOURCE")
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, as encoders/NAME.")
@click.option(
    "--bits", type=click.Choice(["32", "16", "8"]), default="16", show_default=True, help="Bits of a stored weight."
)
@_picture_options
@_output_options
@click.option("--overwrite", is_flag=True, help="Replace an encoder that is there.")
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
    """Make an encoder folder of somebody else's model; using it needs neither torch nor its library.

    SOURCE is a folder in the format of the Hugging Face hub, a name on the hub, OWNER/MODEL (of pictures, of texts, or
    of both as CLIP, whose words find pictures), or an ONNX file NAME.onnx. What the options say of an ONNX file must be
    what the model was trained with: for pixels in [0, 1], --mean and --std in the order of the model's channels.

    The encoder is compared with the model itself, and not made where they differ.
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
        tell(f"converting {source}: seconds for a small model, minutes for a large one")
    made = convert(source, out, bits=int(bits), onnx=how, overwrite=overwrite)
    _report(made, out, as_json=as_json, quiet=quiet)
    return 0


def _report(made: EncoderConfig, out: str, *, as_json: bool, quiet: bool) -> None:
    size = sum(record.size for record in made.files.values())
    if as_json:
        say_json(
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
        words = ", words find its pictures" if made.words else ""
        say(f"{out}: takes {made.modality}s{words}, gives {made.dim} numbers, {size / 1e6:,.1f} MB")
        for name, value in made.figures.items():
            say(f"{name.replace('_', ' ')}  {value:.4g}" if isinstance(value, float) else f"{name}  {value}")
        say(f"Use it: simsearch index FOLDER --encoder {out}")
