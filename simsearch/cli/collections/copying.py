"""simsearch backup, migrate."""

from __future__ import annotations

import click

from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_status


@click.command("backup")
@click.argument("folder", metavar="FOLDER")
@index_option
@click.option("--force", is_flag=True, help="Replace a collection that is there and no backup.")
@json_option
@quiet_option
def backup_command(folder: str, index: str | None, force: bool, as_json: bool, quiet: bool) -> int:
    """Copy a collection to a folder, and check the copy.

    The copy is of one moment, also while others write. It is a collection: it can be queried where it is, and copied
    back. A backup that is there is replaced.
    """
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        done = collection.backup(folder, force=force)
        source = str(collection.folder)
    if as_json:
        counts = {"items": done.items, "contents": done.contents, "examples": done.examples, "bytes": done.size}
        print_json({"collection": source, "backup": str(done.folder), **counts})
    elif not quiet:
        print_line(f"{source}: {counted(done.items, 'item')} copied to {done.folder} and checked")
    return 0


@click.command("migrate")
@click.argument("names", metavar="[NAME|PATH...]", nargs=-1)
@click.option("--dry-run", is_flag=True, help="Only list the formats.")
@json_option
@quiet_option
def migrate_command(names: tuple[str, ...], dry_run: bool, as_json: bool, quiet: bool) -> int:
    """Bring collections of older versions to the current format.

    Without names, all under indexes/ are. A collection is also migrated when it is opened. An older simsearch cannot
    open it any more: make a backup before.
    """
    from simsearch.collection.entries.migrating import migrate

    failed = found = False
    for done in migrate(names, dry_run=dry_run):
        found = True
        failed |= done.problem is not None
        if as_json:
            record = {"collection": str(done.folder), "before": done.before, "after": done.after}
            print_json(record | {"migrated": not dry_run and done.before != done.after, "problem": done.problem})
        elif done.problem is not None:
            print_status(f"{done.folder}: {done.problem}")
        elif not quiet:
            change = "would become" if dry_run else "is now"
            now = "is current" if done.before == done.after else f"{change} {done.after}"
            print_line(f"{done.folder}: format {done.before} {now}")
    if not found and not as_json and not quiet:
        print_line("no collections")
    return 1 if failed else 0
