"""Writes docs/commands.md, the reference of the command line, from each command's --help.

python docs/generate_commands.py            write it
python docs/generate_commands.py --check    exit with 1 when it is not what would be written
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from simsearch.cli import COMMANDS, cli

PAGE = Path(__file__).with_name("commands.md")
WIDTH = 100
HEAD = """\
# The commands

This page is the output of `--help`, written by `python docs/generate_commands.py`; a test keeps it true. The
[guide](guide.md) says what to use when.
"""


def page() -> str:
    """The whole page."""
    with click.Context(cli, info_name="simsearch", terminal_width=WIDTH, **cli.context_settings) as top:
        sections = [_section("simsearch", cli.get_help(top))]
        for name in COMMANDS:
            command = cli.get_command(top, name)
            assert command is not None
            with click.Context(command, info_name=name, parent=top, terminal_width=WIDTH) as context:
                sections.append(_section(f"simsearch {name}", command.get_help(context)))
    return "\n".join([HEAD, *sections])


def _section(title: str, text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.splitlines())
    return f"## {title}\n\n```text\n{lines}\n```\n"


def main() -> None:
    wanted = page()
    if "--check" in sys.argv[1:]:
        found = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
        sys.exit(None if found == wanted else f"{PAGE} is not what --help says; run: python docs/generate_commands.py")
    PAGE.write_text(wanted, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
