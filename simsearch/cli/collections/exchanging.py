"""simsearch export, import."""

from __future__ import annotations

import click

from simsearch.cli.options import force_option, index_option, json_option, quiet_option, where_option
from simsearch.cli.output import counted, print_json, print_line, progress


@click.command("export")
@click.option(
    "-o",
    "--out",
    required=True,
    metavar="FILE",
    help="File: .npz, .npy, .parquet, .jsonl or .faiss. The ending sets the format.",
)
@index_option
@where_option
@force_option
@json_option
@quiet_option
def export_command(out: str, index: str | None, where: str | None, force: bool, as_json: bool, quiet: bool) -> int:
    """Write the vectors of a collection to a file, with ids, uris, labels and metadata.

    .npy and .faiss hold vectors (and ids) only; the rest goes to a file of the same name and .jsonl.
    """
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        done = collection.export(out, where=where, force=force, progress=progress(quiet))
        folder = str(collection.folder)
    if as_json:
        print_json({"collection": folder, "items": done.items, "files": [str(file) for file in done.files]})
    elif not quiet:
        print_line(f"{folder}: {counted(done.items, 'item')} written to {', '.join(map(str, done.files))}")
    return 0


@click.command("import")
@click.argument("file", metavar="FILE")
@index_option
@click.option("--encoder", metavar="NAME|FOLDER", help="Of a new collection, if the vectors are of that encoder.")
@json_option
@quiet_option
def import_command(file: str, index: str | None, encoder: str | None, as_json: bool, quiet: bool) -> int:
    """Read vectors from a file into a collection, a new one if need be.

    FILE ends in .npz, .npy, .parquet, .jsonl or .faiss. A new collection is named after it. It is one of your own
    vectors, which are queried with vectors; with --encoder it is one of that encoder, from whose vectors the file must
    have been exported.
    """
    from simsearch.collection.entries.importing import import_file

    done = import_file(file, index=index, encoder=encoder, progress=progress(quiet))
    report = done.report
    counts = {"added": report.added, "unchanged": report.unchanged, "updated": report.updated}
    if as_json:
        print_json({"collection": str(done.folder), "items": done.items, **counts})
    elif not quiet:
        listed = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number) or "nothing to do"
        print_line(f"{done.folder}: {counted(done.items, 'item')} ({listed})")
    return 0
