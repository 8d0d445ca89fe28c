"""The group of commands simsearch dedupe."""

from __future__ import annotations

import click

from simsearch.cli.dedupe.calibrating import calibrate_command
from simsearch.cli.dedupe.finding import find_command, plan_command
from simsearch.cli.dedupe.removing import apply_command, undo_command


@click.group("dedupe", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def dedupe_command() -> None:
    """Find duplicates and edited copies, plan what to remove, remove it, and undo that.

    \b
    simsearch dedupe find ./photos                  list what is a copy of what; changes nothing
    simsearch dedupe plan ./photos -o plan.json     write which files would be removed, to look at and edit
    simsearch dedupe apply plan.json                move them to a quarantine folder
    simsearch dedupe undo                           put them back
    simsearch dedupe calibrate pairs.csv            choose what counts as a copy, by labeled pairs
    """


for _command in (find_command, plan_command, apply_command, undo_command, calibrate_command):
    dedupe_command.add_command(_command)
