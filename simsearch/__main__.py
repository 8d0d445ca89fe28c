"""The command `simsearch`, also as `python -m simsearch`."""

from simsearch.cli import main

if __name__ == "__main__":
    main()
