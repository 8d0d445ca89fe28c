"""simsearch serve."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from simsearch.cli.options import json_option, quiet_option
from simsearch.cli.output import print_json, print_line, print_status


@click.command("serve")
@click.option(
    "--index",
    "indexes",
    metavar="NAME|PATH",
    multiple=True,
    help="A collection to serve; may be repeated.  [default: all in indexes/ (or $SIMSEARCH_HOME)]",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8765, show_default=True, type=click.IntRange(0, 65535), help="The port; 0 takes a free one."
)
@click.option("--open", "open_page", is_flag=True, help="Open the page in the browser.")
@click.option("--read-only", is_flag=True, help="Refuse everything that changes something.")
@click.option(
    "--token",
    metavar="TOKEN",
    envvar="SIMSEARCH_TOKEN",
    help="Token that every call needs; better in $SIMSEARCH_TOKEN.  [default: a new one, required of this machine's "
    "programs only for changes]",
)
@click.option(
    "--allow-host",
    "allowed_hosts",
    metavar="NAME",
    multiple=True,
    help="A host name under which the server is reached; may be repeated.",
)
@click.option(
    "--allow-folder",
    "allowed_folders",
    metavar="FOLDER",
    multiple=True,
    type=click.Path(exists=True, file_okay=False),
    help="A folder that may be indexed from the page, besides those that are in the collection.",
)
@click.option("--max-upload", default=64, show_default=True, type=click.IntRange(1, 512), help="MiB of one request.")
@json_option
@quiet_option
def serve_command(
    indexes: tuple[str, ...],
    host: str,
    port: int,
    open_page: bool,
    read_only: bool,
    token: str | None,
    allowed_hosts: tuple[str, ...],
    allowed_folders: tuple[str, ...],
    max_upload: int,
    as_json: bool,
    quiet: bool,
) -> int:
    """Serve collections to a browser and to programs, over HTTP on this machine. Ctrl-C stops it.

    Other machines are refused unless --host names an address that they can reach; they then need the token that is
    printed. Nothing is fetched from elsewhere.
    """
    from simsearch.serving.server import address_of, listen, require_extra, secured, serve
    from simsearch.serving.settings import Limits, ServeSettings

    require_extra()
    collections = _collections(indexes)
    folders = tuple(Path(folder).absolute() for folder in allowed_folders)
    limits = Limits.for_uploads(max_upload * 2**20)
    settings = secured(ServeSettings(host, port, token or "", False, read_only, allowed_hosts, folders, limits))
    with listen(host, port) as listening:
        settings = replace(settings, port=listening.getsockname()[1])
        address = address_of(listening, settings)

        def ready() -> None:
            names = [name for name, _, _ in collections]
            if as_json:
                print_json({"address": address, "token": settings.token, "collections": names})
            else:
                print_line(address)
                if not quiet:
                    print_status(f"serving {', '.join(names)}; Ctrl-C stops")
                    print_status(f"programs that change something need the token {settings.token}")
            if open_page:
                click.launch(address)

        serve(collections, settings, listening, ready)
    return 0


def _collections(indexes: tuple[str, ...]) -> list[tuple[str, Path, None]]:
    from simsearch.collection.places import existing, the_one

    folders = [the_one(index) for index in indexes] if indexes else existing() or [the_one(None)]
    return [(folder.absolute().name, folder.absolute(), None) for folder in folders]
