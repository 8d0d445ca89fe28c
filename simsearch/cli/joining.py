"""simsearch join."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import progress, say, say_json, tell_skipped

if TYPE_CHECKING:
    from simsearch.types import Skip


@click.command("join")
@click.argument("encoders", metavar="ENCODER ENCODER...", nargs=-1, required=True)
@click.option("-o", "--out", required=True, metavar="FOLDER", help="The encoder folder to make, as encoders/NAME.")
@click.option("--dim", type=int, metavar="N", help="Keep only N numbers of an embedding; needs --pictures.")
@click.option(
    "--pictures", metavar="FOLDER", help="Pictures such as will be searched: they show which numbers to keep."
)
@click.option("--overwrite", is_flag=True, help="Replace an encoder that is there.")
@json_option
@quiet_option
def join_command(
    encoders: tuple[str, ...], out: str, dim: int | None, pictures: str | None, overwrite: bool, as_json: bool,
    quiet: bool,
) -> int:  # fmt: skip
    """Put image encoders side by side in one, whose score is the mean of theirs.

    Networks that were trained apart err on different pictures, so together they may judge better. They must fit
    pictures alike, as two trainings of one preset do; the sides of a smaller one are a whole fraction of the largest's.
    The new encoder takes as long as all of them.

    Embeddings have fewer directions than numbers. With --dim those are kept that matter, of one encoder or several, so
    that an index takes less memory and is searched faster.
    """
    from simsearch.training import join

    skipped: list[Skip] = []
    made = join(
        encoders, out, dim=dim, pictures=pictures, overwrite=overwrite, progress=progress(quiet), on_skip=skipped.append
    )
    tell_skipped(skipped)
    kept = made.training.get("kept")
    if as_json:
        say_json({"folder": out, "fingerprint": made.fingerprint, "dim": made.dim, "parameters": made.parameters,
                  "kept": kept})  # fmt: skip
    else:
        say(f"{out}: {made.parameters:,} parameters, {made.dim} numbers a picture")
        if isinstance(kept, dict):
            seen = f"{kept['pictures']} pictures, {kept['skipped']} skipped"
            say(f"They hold {kept['share_of_squared_length']:.2%} of what {kept['of']} numbers say of {seen}")
        say(f"Use it: simsearch index FOLDER --encoder {out}")
    return 0
