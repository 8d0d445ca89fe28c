"""simsearch train."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_skipped, print_table, progress, wants_json
from simsearch.errors import UsageError
from simsearch.records import skip_records
from simsearch.training.settings import PARSERS, SETTINGS, Setting, in_group, parse_settings, replacement, setting_rows

if TYPE_CHECKING:
    from simsearch.training import Trained
    from simsearch.types import JSONValue

Command = Callable[..., Any]
LISTED = {
    "preset": ("name", "loss", "summary"),
    "loss": ("name", "data", "settings", "definition"),
    "miner": ("name", "definition"),
    "setting": ("name", "value", "meaning"),
}
"""What --list shows, with the names of its columns in JSON."""


class _Train(click.Command):
    """The command train, whose error for a former option names the setting that replaces it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            setting = replacement(error.option_name)
            if setting is None:
                raise
            raise UsageError(f"{error.option_name} is a setting: --set {setting}") from None


def _list(context: click.Context, _: click.Parameter, asked: bool) -> None:
    """Prints presets, losses, miners and settings, and exits."""
    if not asked or context.resilient_parsing:
        return
    from simsearch.training import preset_rows
    from simsearch.training.losses.table import loss_rows, miner_rows

    for kind, rows in zip(LISTED, (preset_rows(), loss_rows(), miner_rows(), [*setting_rows()]), strict=True):
        if wants_json():
            for row in rows[1:]:
                print_json({"kind": kind, **dict(zip(LISTED[kind], row, strict=True))})
            continue
        print_table(rows)
        print_line("")
    context.exit()


def _setting_options(command: Command) -> Command:
    """An option for each of the settings that have one; a setting that is not given is None."""
    for setting in reversed(SETTINGS):
        if setting.option:
            command = _option(setting)(command)
    return command


def _option(setting: Setting) -> Callable[[Command], Command]:
    name = f"--{setting.name.replace('_', '-')}"
    if setting.form == "true|false":
        return click.option(name, setting.name, is_flag=True, default=None, help=setting.help)
    if setting.form not in PARSERS:
        return click.option(name, setting.name, type=click.Choice(setting.form.split("|")), help=setting.help)
    numbers = {"N": int, "NUMBER": float}
    return click.option(name, setting.name, type=numbers.get(setting.form, str), help=setting.help)


@click.command("train", cls=_Train)
@click.argument("source", metavar="FOLDER|FILE")
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, such as encoders/NAME.")
@click.option("--preset", help="Network, loss and schedule, with random weights unless --from is given; see --list.")
@click.option(
    "--from",
    "start",
    metavar="ENCODER",
    help="Initial encoder to fine-tune: a bundled name, a folder, a hub name.  [default: the bundled encoder with the "
    "best metrics on the train partition; none with --preset]",
)
@click.option(
    "--freeze",
    type=click.Choice(["none", "part", "all"]),
    help="Freeze the first half of the layers (part), or all but a new head (all).  [default: all for photo and "
    "encoders trained from it, none for others]",
)
@click.option("--minutes", type=float, help="Time limit of the whole command, instead of epochs.")
@_setting_options
@click.option(
    "--test", "tests", multiple=True, metavar="NAME", help="Class or group to hold out for the test; may be repeated."
)
@click.option("--everything", is_flag=True, help="Train on all classes, once the test figures are known.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="KEY=VALUE",
    help="Any setting that --list prints, such as margin=0.3; may be repeated.",
)
@click.option("--no-report", is_flag=True, help="Write no plots.")
@click.option("--restart", is_flag=True, help="Train from the beginning instead of resuming from a checkpoint.")
@click.option("--overwrite", is_flag=True, help="Replace an existing encoder.")
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list,
    help="Show presets, losses, miners and settings.",
)
@json_option
@quiet_option
def train_command(
    source: str,
    out: str,
    preset: str | None,
    start: str | None,
    freeze: str | None,
    minutes: float | None,
    tests: tuple[str, ...],
    everything: bool,
    texts: tuple[str, ...],
    no_report: bool,
    restart: bool,
    overwrite: bool,
    as_json: bool,
    quiet: bool,
    **options: Any,
) -> int:
    """Train an encoder on labeled or unlabeled images or texts.

    The source is class folders, a table of classes, pairs, grades or triplets, or unlabeled files.

    Images or texts of one folder form a class: they are similar, those of different folders are not. An interrupted run
    resumes from its checkpoint when the same command is given again.
    """
    from simsearch.labelled.reading import Reading
    from simsearch.training import Changes, train

    values = parse_settings(texts)
    for name, value in options.items():
        if value is not None and name in values:
            raise UsageError(f"setting {name} is given twice, as an option and with --set")
        if value is not None:
            values[name] = value
    changes: dict[str, Any] = in_group(values, "changes")
    reading: dict[str, Any] = in_group(values, "reading")
    trained = train(
        source,
        out,
        recipe=preset,
        start=start,
        freeze=freeze,
        minutes=minutes,
        test=tests,
        everything=everything,
        changes=Changes(**changes),
        reading=Reading(**reading),
        half=bool(values.get("half")),
        report=not no_report,
        restart=restart,
        overwrite=overwrite,
        progress=progress(quiet),
    )
    if trained.figures:
        _tell(trained, as_json, quiet)
    return 0


def _tell(trained: Trained, as_json: bool, quiet: bool) -> None:
    print_skipped(trained.skipped)
    start = trained.config.training["start"]
    if as_json:
        plots = [str(path) for path in trained.pictures]
        print_json(
            {
                "encoder": str(trained.folder),
                "start": start,
                "figures": dict(trained.figures),
                "plots": plots,
                "skipped_files": skip_records(trained.skipped),
            }
        )
    elif not quiet:
        rows = [
            (name, f"{value:.4g}" if isinstance(value, float) else value) for name, value in trained.figures.items()
        ]
        began = [("initial encoder", _start_shown(start))] if isinstance(start, dict) else []
        print_table([("encoder", trained.folder), *began, *rows, *[("plot", path) for path in trained.pictures]])
        seen_before = trained.figures.get("test_classes_seen_before")
        if seen_before:
            print_line(
                f"{seen_before} of the test classes have names of classes that the initial encoder was trained on: if "
                "they are the same classes, the figures are too optimistic."
            )
        _tell_split(trained.config.training["split_record"])
        print_line(f"Use it: simsearch index FOLDER --encoder {trained.folder}")


def _tell_split(record: JSONValue) -> None:
    """Prints which classes have one example to train on, and how many contents have several labels, if any."""
    assert isinstance(record, dict)
    single = record.get("one_example")
    if isinstance(single, list) and single:
        print_line(
            f"{counted(len(single), 'class', 'classes')} with one example to train on, negatives of the others: "
            f"{', '.join(map(str, single))}"
        )
    twice = record.get("contents_with_two_labels")
    if twice:
        print_line(f"Identical items with several labels: {twice:,}; each is used with the first of its classes only.")


def _start_shown(start: Mapping[str, JSONValue]) -> str:
    """As "glyph, the best on the train partition: glyph 0.96, photo 0.83"."""
    compared = start["encoders_compared"]
    assert isinstance(compared, dict)
    if not compared:
        return str(start["encoder"])
    figures = ", ".join(f"{name} {known}" for name, known in compared.items())
    return f"{start['encoder']}, the best on the train partition: {figures}"
