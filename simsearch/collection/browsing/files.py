"""The files of items and examples, given out only where they belong to the collection."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import MediaError
from simsearch.media.files import read_file, why

if TYPE_CHECKING:
    from simsearch.store import Store
    from simsearch.types import Example, Item


def read_item(store: Store, item: Item) -> bytes:
    """The bytes of an item's file, links resolved. Raises MediaError with the reason alone.

    The file must lie in a folder that was indexed, or be as it was stored: a link that was put in its place later,
    and leads elsewhere, is not followed.
    """
    if item.text is not None or not os.path.isabs(item.uri):  # noqa: PTH117
        raise MediaError("not a file of its own")
    try:
        place = Path(item.uri).resolve(strict=True)
        seen = place.stat()
    except (OSError, RuntimeError, ValueError) as error:
        raise MediaError(why(error) if isinstance(error, OSError) else "not a file name") from error
    as_stored = (seen.st_size, seen.st_mtime_ns) == (item.size, item.mtime_ns)
    if not as_stored and not any(place.is_relative_to(os.path.realpath(root)) for root in store.roots()):
        raise MediaError("it leads out of the folders that were indexed")
    return read_file(place)


def read_example(store: Store, example: Example) -> bytes:
    """The bytes of the file that an example was enrolled from, if it still has these; else MediaError."""
    if example.text is not None or not example.uri:
        raise MediaError("enrolled without a file")
    content = read_file(example.uri)
    if store.example_contents().get(hashlib.sha256(content).digest()) is None:
        raise MediaError("the file has changed since it was enrolled")
    return content
