"""simsearch join."""

from __future__ import annotations

import click

from simsearch.cli.options import json_option
from simsearch.cli.output import say, say_json


@click.command("join")
@click.argument("encoders", metavar="ENCODER ENCODER...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, as encoders/NAME.")
@click.option("--overwrite", is_flag=True, help="Replace an encoder that is there.")
@json_option
def join_command(encoders: tuple[str, ...], out: str, overwrite: bool, as_json: bool) -> int:
    """Put image encoders side by side in one, whose score is the mean of theirs.

    Networks that were trained apart err on different pictures, so together they may judge better. They must fit
    pictures alike, as two trainings of one preset do; the sides of a smaller one are a whole fraction of the largest's.
    The new encoder takes as long as all of them.
    """
    from simsearch.training import join

    made = join(encoders, out, overwrite=overwrite)
    if as_json:
        say_json({"folder": out, "fingerprint": made.fingerprint, "dim": made.dim, "parameters": made.parameters})
    else:
        say(f"{out}: {made.parameters:,} parameters, {made.dim} numbers a picture")
        say(f"Use it: simsearch index FOLDER --encoder {out}")
    return 0
