"""simsearch train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import click

from simsearch.cli.options import (
    convention_option,
    encoding_option,
    json_option,
    quiet_option,
    score_range_option,
    strict_option,
)
from simsearch.cli.output import progress, say, say_json, skip_records, table, tell_skipped

if TYPE_CHECKING:
    from simsearch.labelled.reading import Kind, Modality
    from simsearch.labelled.splits import By
    from simsearch.training import Trained
    from simsearch.training.loss_table import Distance
    from simsearch.types import JSONValue

Margin = float | Literal["soft"]
Command = Callable[..., Any]


class _MarginType(click.ParamType[Any]):
    """A number above 0, or "soft"."""

    name = "NUMBER|soft"

    def convert(self, value: Any, parameter: click.Parameter | None, context: click.Context | None) -> Margin:
        if value == "soft":
            return "soft"
        try:
            return float(value)
        except ValueError:
            self.fail(f"{value!r} is neither a number nor soft", parameter, context)


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Prints what can be chosen, and ends."""
    if not asked or context.resilient_parsing:
        return
    from simsearch.training import preset_rows
    from simsearch.training.loss_table import loss_rows, miner_rows

    for rows in (preset_rows(), loss_rows(), miner_rows()):
        table(rows)
        say("")
    context.exit()


def _reading_options(command: Command) -> Command:
    """How the source is read where it does not say so itself."""
    for option in reversed([
        click.option(
            "--kind", type=click.Choice(["classes", "pairs", "graded", "triplets", "unlabelled"]),
            help="What the source holds, where its columns leave it open.",
        ),
        click.option("--modality", type=click.Choice(["image", "text"]), help="What its files are, if both could be."),
        click.option("--columns", metavar="NAMES", help="Names of the columns, or ROLE=NAME,...; see the guide."),
        convention_option,
        score_range_option,
        click.option("--label-until", metavar="MARK", help="A label ends before this mark, as # in 12.jpg#3."),
        click.option("--by-line", is_flag=True, help="Each line of a text file is a text of its own."),
        encoding_option,
        strict_option,
        click.option("--split", help="content, class, group, or given by a column; what keeps the sides apart."),
        click.option(
            "--shares", nargs=3, type=float, metavar="TRAIN VALIDATION TEST",
            help="Shares (or, above 1, numbers) of the sides; 0 leaves one empty.",
        ),
        click.option(
            "--test", "tests", multiple=True, metavar="NAME", help="Hold this class or group out; may be repeated."
        ),
        click.option(
            "--everything", is_flag=True, help="Hold no class out: for the weights to use, once the figures are known."
        ),
    ]):  # fmt: skip
        command = option(command)
    return command


def _learning_options(command: Command) -> Command:
    """What is learned and how; nothing given leaves what the preset has."""
    for option in reversed([
        click.option("--loss", help="See --list.  [default: the preset's, or the best for the data]"),
        click.option("--margin", type=_MarginType(), help="Of the loss; soft is a margin without an edge."),
        click.option("--temperature", type=float, help="Of the loss: cosines are divided by it."),
        click.option("--scale", type=float, help="Of the loss: cosines are multiplied by it."),
        click.option("--distance", type=click.Choice(["l2", "squared", "cosine"]), help="Of the triplet loss."),
        click.option("--miner", help="Which triplets or pairs of a batch count; see --list."),
        click.option("--memory", type=int, metavar="N", help="Compare with N embeddings of past batches as well."),
        click.option("--fit", help="How pictures are fitted to the network: squash, crop, pad or ink."),
        click.option("--poses", type=int, help="4: turned drawings are further classes, 8: mirrored ones too; 1: no."),
        click.option("--augmentation", help="none, photo, drawing, copies or text."),
        click.option("--optimizer", help="adamw, adam, sgd or rmsprop."),
        click.option("--learning-rate", type=float),
        click.option(
            "--cosine/--constant", "cosine_decay", default=None,
            help="The learning rate falls to zero along half a cosine, or stays.  [default: the preset's]",
        ),
        click.option("--weight-decay", type=float, help="How strongly weights are pulled to zero."),
        click.option("--batch-classes", type=int, metavar="P", help="Classes in a batch."),
        click.option("--batch-images", type=int, metavar="K", help="Images (or texts) of each class in a batch."),
        click.option("--averaging", type=float, metavar="DECAY", help="Keep a running average of the weights; 0.999."),
        click.option(
            "--within-power", type=float, metavar="POWER",
            help="Let count for less what varies within classes, from 0 to below 1.  [default: the preset's]",
        ),
        click.option(
            "--start-share", type=float, metavar="SHARE",
            help="How much of the weights of the encoder that it goes on from is left in those that are kept, from 0 "
            "to below 1.  [default: as much as its classes allow, else 0]",
        ),
        click.option("--patience", type=int, metavar="N", help="Stop after N evaluations without a gain; 0 never."),
        click.option("--precision", help="auto, float32, bfloat16 or float16."),
        click.option("--threads", type=int, metavar="N", help="Processor threads; 0 leaves the choice to torch."),
        click.option("--seed", type=int, help="Start of all randomness.  [default: 0]"),
    ]):  # fmt: skip
        command = option(command)
    return command


@click.command("train")
@click.argument("source", metavar="FOLDER|FILE")
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, as encoders/NAME.")
@click.option("--preset", help="Network, loss and schedule, with random weights unless --from is given; see --list.")
@click.option(
    "--from", "start", metavar="ENCODER",
    help="Go on from an encoder: a bundled name, a folder, a hub name.  [default: the bundled one that knows the "
    "material best; with --preset none]",
)  # fmt: skip
@click.option(
    "--freeze", type=click.Choice(["none", "part", "all"]),
    help="Leave the first half of its layers, or all but a new head, as they are.  [default: all of photo and what was "
    "made from it, none of others]",
)  # fmt: skip
@click.option("--epochs", type=int, help="Passes over the pairs.  [default: the preset's]")
@click.option("--steps", type=int, help="Optimiser steps, instead of epochs.")
@click.option("--minutes", type=float, help="Bound the whole command, instead of epochs.")
@_reading_options
@_learning_options
@click.option("--half", is_flag=True, help="Store the weights in 16 bits: half the size.")
@click.option("--no-report", is_flag=True, help="Draw no pictures.")
@click.option("--restart", is_flag=True, help="Start anew instead of going on from a checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace an encoder that is there.")
@click.option(
    "--list", is_flag=True, is_eager=True, expose_value=False, callback=_list,
    help="Show presets, losses and miners, and which data each takes.",
)  # fmt: skip
@json_option
@quiet_option
def train_command(
    source: str, out: str, preset: str | None, start: str | None, freeze: str | None, epochs: int | None,
    steps: int | None, minutes: float | None, kind: Kind | None, modality: Modality | None, columns: str | None,
    convention: str | None, score_range: tuple[float, float] | None, label_until: str | None, by_line: bool,
    encoding: str | None, strict: bool, split: By | None, shares: tuple[float, float, float] | None,
    tests: tuple[str, ...], everything: bool,
    loss: str | None, margin: Margin | None, temperature: float | None, scale: float | None, distance: Distance | None,
    miner: str | None, memory: int | None, fit: str | None, poses: int | None, augmentation: str | None,
    optimizer: str | None, learning_rate: float | None, cosine_decay: bool | None, weight_decay: float | None,
    batch_classes: int | None, batch_images: int | None, averaging: float | None, within_power: float | None,
    start_share: float | None, patience: int | None, precision: str | None, threads: int | None, seed: int | None,
    half: bool, no_report: bool, restart: bool, overwrite: bool, as_json: bool, quiet: bool,
) -> int:  # fmt: skip
    """Learn what "similar" means from labelled folders, a table of pairs, grades or triplets, or unlabelled files.

    Images or texts in one folder are similar, those of different folders are not. A run that was stopped goes on when
    the same command is given again.
    """
    from simsearch.labelled.reading import Reading
    from simsearch.training import Changes, train

    changes = Changes(
        fit=fit, poses=poses, augmentation=augmentation, margin=margin, temperature=temperature, scale=scale,
        distance=distance, miner=miner, memory=memory, optimizer=optimizer, cosine_decay=cosine_decay,
        weight_decay=weight_decay, batch_classes=batch_classes, batch_images=batch_images, averaging=averaging,
        within_power=within_power, start_share=start_share, patience=patience, precision=precision, threads=threads,
        counts=shares,
    )  # fmt: skip
    reading = Reading(kind, modality, columns, convention, score_range, label_until, by_line, encoding, strict)
    trained = train(
        source, out, recipe=preset, start=start, freeze=freeze, loss=loss, epochs=epochs, steps=steps,
        minutes=minutes, learning_rate=learning_rate, split=split, test=tests, everything=everything, seed=seed,
        changes=changes, reading=reading, half=half, report=not no_report, restart=restart, overwrite=overwrite,
        progress=progress(quiet),
    )  # fmt: skip
    if trained.figures:
        _tell(trained, as_json, quiet)
    return 0


def _tell(trained: Trained, as_json: bool, quiet: bool) -> None:
    tell_skipped(trained.skipped)
    start = trained.config.training["start"]
    if as_json:
        pictures = [str(path) for path in trained.pictures]
        say_json({
            "encoder": str(trained.folder), "start": start, "figures": dict(trained.figures), "pictures": pictures,
            "skipped_files": skip_records(trained.skipped),
        })  # fmt: skip
    elif not quiet:
        rows = [
            (name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in trained.figures.items()
        ]
        began = [("start", _start_shown(start))] if isinstance(start, dict) else []
        table([("encoder", trained.folder), *began, *rows, *[("picture", path) for path in trained.pictures]])
        seen_before = trained.figures.get("test_classes_seen_before")
        if seen_before:
            say(
                f"{seen_before} of the test classes have names that its start had learned: if they are the same, the "
                "figures flatter."
            )
        _tell_split(trained.config.training["split_record"])
        say(f"Use it: simsearch index FOLDER --encoder {trained.folder}")


def _tell_split(record: JSONValue) -> None:
    """What of the labels was not as a reader of the figures would expect."""
    assert isinstance(record, dict)
    twice = record.get("contents_with_two_labels")
    if twice:
        say(f"Identical items with more than one label: {twice:,}; each counts for the first of its classes only.")


def _start_shown(start: Mapping[str, JSONValue]) -> str:
    """As "glyph, which knows the material best: glyph 0.96, photo 0.83"."""
    compared = start["encoders_compared"]
    assert isinstance(compared, dict)
    if not compared:
        return str(start["encoder"])
    figures = ", ".join(f"{name} {known}" for name, known in compared.items())
    return f"{start['encoder']}, which knows the material best: {figures}"
