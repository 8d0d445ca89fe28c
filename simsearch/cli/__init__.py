"""The command line: each command parses, makes one call and prints."""

from __future__ import annotations

import signal
import sys
from importlib import import_module
from typing import NoReturn

import click

from simsearch import __version__
from simsearch.cli.output import tell
from simsearch.errors import SimsearchError

COMMANDS = {
    "index": "simsearch.cli.indexing",
    "remove": "simsearch.cli.indexing",
    "query": "simsearch.cli.asking",
    "enroll": "simsearch.cli.identities",
    "recognize": "simsearch.cli.identities",
    "forget": "simsearch.cli.identities",
    "train": "simsearch.cli.training",
    "info": "simsearch.cli.upkeep",
    "check": "simsearch.cli.upkeep",
}


class _Lazy(click.Group):
    """Imports the module of a command when the command is called for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        del ctx
        if cmd_name not in COMMANDS:
            return None
        command = getattr(import_module(COMMANDS[cmd_name]), f"{cmd_name}_command")
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="simsearch")
def cli() -> None:
    """Search, recognise and compare pictures by a similarity that you can teach.

    \b
    simsearch index ./gallery          make a collection of the pictures in a folder
    simsearch query photo.jpg          find the ones most like a picture
    simsearch enroll Ana ana.jpg       give an example of something to recognise
    simsearch recognize who.jpg        say which it is, or that it is unknown
    simsearch train ./labelled -o encoders/mine    learn what "similar" means to you
    """


def main() -> NoReturn:
    """Runs the command line. Exit codes: 0 done, 1 a failure told in one line, 2 wrong usage, 130 interrupted."""
    if hasattr(signal, "SIGPIPE"):
        # A reader that stops early (`simsearch query ... | head`) ends the program without a traceback.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    try:
        status = cli.main(standalone_mode=False)
    except click.exceptions.Abort:
        tell("Interrupted. What was done is kept; the same command goes on from there.")
        sys.exit(130)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except SimsearchError as error:
        tell(f"Error: {error}")
        sys.exit(error.exit_code)
    except MemoryError:
        tell("Error: out of memory")
        sys.exit(1)
    sys.exit(status or 0)
