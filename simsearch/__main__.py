"""The command `simsearch`, also as `python -m simsearch`."""

import gc
from typing import NoReturn

ALLOCATIONS = 50_000
"""Containers that are made until garbage is looked for, in place of Python's 700. Imports make many that stay, and the
search among them takes a sixth of the start of a command."""


def main() -> NoReturn:
    """Runs the command line and exits."""
    gc.set_threshold(ALLOCATIONS)
    from simsearch.cli import main as run

    run()


if __name__ == "__main__":
    main()
