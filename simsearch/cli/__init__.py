"""The command line: each command parses, makes one call and prints."""

from __future__ import annotations

import io
import signal
import sys
from importlib import import_module
from typing import NoReturn

import click

from simsearch import __version__
from simsearch.cli.output import print_failure, print_json, print_status, wants_json
from simsearch.errors import SimsearchError

COMMANDS = {
    "index": "simsearch.cli.indexing",
    "remove": "simsearch.cli.indexing",
    "move": "simsearch.cli.indexing",
    "query": "simsearch.cli.asking",
    "items": "simsearch.cli.asking",
    "enroll": "simsearch.cli.recognition.enrolling",
    "recognize": "simsearch.cli.recognition.deciding",
    "compare": "simsearch.cli.recognition.comparing",
    "calibrate": "simsearch.cli.recognition.calibrating",
    "identities": "simsearch.cli.recognition.identities",
    "rename": "simsearch.cli.recognition.identities",
    "merge": "simsearch.cli.recognition.identities",
    "forget": "simsearch.cli.recognition.identities",
    "dedupe": "simsearch.cli.dedupe.commands",
    "train": "simsearch.cli.learning.training",
    "distill": "simsearch.cli.learning.distilling",
    "convert": "simsearch.cli.learning.converting",
    "evaluate": "simsearch.cli.learning.evaluation",
    "reindex": "simsearch.cli.collections.reindexing",
    "export": "simsearch.cli.collections.exchanging",
    "import": "simsearch.cli.collections.exchanging",
    "backup": "simsearch.cli.collections.copying",
    "migrate": "simsearch.cli.collections.copying",
    "info": "simsearch.cli.upkeep",
    "check": "simsearch.cli.upkeep",
    "compact": "simsearch.cli.upkeep",
    "serve": "simsearch.cli.serving",
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
    """Similarity search, recognition and training of encoders for images and texts.

    \b
    simsearch index ./gallery          index the images in a folder
    simsearch query photo.jpg          find the most similar ones
    simsearch enroll Ana ana.jpg       store an example of an identity to recognize
    simsearch recognize who.jpg        print the recognized identity, or "unknown"
    simsearch dedupe find ./photos     list copies of files, edited ones as well
    simsearch serve --open             search, recognize and judge duplicates in the browser
    simsearch train ./labelled -o encoders/mine    train an encoder for your notion of similarity
    """


def main() -> NoReturn:
    """Runs the command line. Exit codes: 0 done, 1 a failure reported in one line, 2 wrong usage, 130 interrupted."""
    if hasattr(signal, "SIGPIPE"):
        # A reader that stops early (`simsearch query ... | head`) ends the program without a traceback.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file name that the terminal's encoding lacks is no reason to fail.
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_status())


def _status() -> int:
    try:
        return cli.main(prog_name="simsearch", standalone_mode=False) or 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        print_status("Interrupted. What was saved is kept; run the same command again to resume.")
        return 130
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        if wants_json():
            print_json({"error": error.format_message()})
        return error.exit_code
    except (SimsearchError, OSError, MemoryError) as error:
        print_failure(_message(error), getattr(error, "__notes__", ()))
        return error.exit_code if isinstance(error, SimsearchError) else 1


def _message(error: SimsearchError | OSError | MemoryError) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'the system'}: {error.strerror or error}"
    return "out of memory" if isinstance(error, MemoryError) else str(error)
