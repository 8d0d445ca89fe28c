"""simsearch train."""

from __future__ import annotations

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import progress, say, say_json, table, tell_skipped


@click.command("train")
@click.argument("source", metavar="FOLDER|PAIRS.csv")
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, as encoders/NAME.")
@click.option(
    "--preset", default="backbone", show_default=True,
    help="shapes, digits, backbone, photo or glyph; the guide tells what each is for.",
)  # fmt: skip
@click.option("--loss", help="contrastive, dot, triplet or classifier.  [default: the preset's]")
@click.option("--epochs", type=int, help="Passes over the pairs.  [default: the preset's]")
@click.option("--steps", type=int, help="Optimiser steps, instead of epochs.")
@click.option("--learning-rate", type=float, help="[default: the preset's]")
@click.option("--margin", type=float, help="Margin of the contrastive or triplet loss.  [default: the preset's]")
@click.option("--split", help="content: all classes on all sides. class: unseen classes for validation and test.")
@click.option("--test", "tests", multiple=True, metavar="NAME", help="Hold this class or group out; may be repeated.")
@click.option("--from", "start", metavar="FOLDER", help="Begin with the weights of this encoder, of the same network.")
@click.option(
    "--everything", is_flag=True, help="Hold no class out: for the weights to use, once the figures are known."
)
@click.option(
    "--convention", type=click.Choice(["same", "different"]),
    help="What 1 means in a pair file whose column is not named same or different.",
)  # fmt: skip
@click.option("--seed", type=int, help="Start of all randomness.  [default: 0]")
@click.option("--half", is_flag=True, help="Store the weights in 16 bits: half the size.")
@click.option("--no-report", is_flag=True, help="Draw no pictures.")
@click.option("--restart", is_flag=True, help="Start anew instead of going on from a checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace an encoder that is there.")
@json_option
@quiet_option
def train_command(
    source: str, out: str, preset: str, loss: str | None, epochs: int | None, steps: int | None,
    learning_rate: float | None, margin: float | None, split: str | None, tests: tuple[str, ...],
    everything: bool, start: str | None, convention: str | None, seed: int | None, half: bool, no_report: bool,
    restart: bool, overwrite: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Learn what "similar" means from a folder of class folders, or from a CSV file of pairs.

    Pictures in one folder are similar, pictures of different folders are not. A run that was stopped goes on when
    the same command is given again.
    """
    from simsearch.training import train

    trained = train(
        source, out, recipe=preset, loss=loss, epochs=epochs, steps=steps, learning_rate=learning_rate, margin=margin,
        split=split, test=tests, everything=everything, start=start, convention=convention, seed=seed, half=half,
        report=not no_report, restart=restart, overwrite=overwrite, progress=progress(quiet),
    )  # fmt: skip
    tell_skipped(trained.skipped)
    if as_json:
        pictures = [str(path) for path in trained.pictures]
        say_json({"encoder": str(trained.folder), "figures": trained.figures, "pictures": pictures})
    elif not quiet:
        rows = [
            (name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in trained.figures.items()
        ]
        table([("encoder", trained.folder), *rows, *[("picture", path) for path in trained.pictures]])
        say(f"Use it: simsearch index FOLDER --encoder {trained.folder}")
    return 0
