"""Store: the only truth of a collection, in one SQLite file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Self

from simsearch.errors import StoreError
from simsearch.manifest import replacing
from simsearch.space import disk_is_full
from simsearch.store import reading, writing
from simsearch.store.database import SMALLEST, Database, full, open_database
from simsearch.store.duplicates.comparisons import Comparisons
from simsearch.store.duplicates.removals import Removals
from simsearch.store.exchange import rows as item_rows
from simsearch.store.filters.filtered import Filtered
from simsearch.store.identity_store import IdentityStore
from simsearch.store.schema import CONTENT, ITEM
from simsearch.store.sources import Sources

if TYPE_CHECKING:
    from simsearch.store.exchange.rows import ItemRow
    from simsearch.store.records import Counts, Known, Write
    from simsearch.types import Ids, Item, Metadata, Vectors
    from simsearch.where.tree import Condition


class Store(Filtered, Sources, IdentityStore):
    """Items, contents, examples, and the sources that they are from. Use `create` or `open`.

    Every method is one transaction: done as a whole, and durable when it returns, or not done. An item is a path or a
    text; it points to a content, which has a vector and never changes. A content is there as long as an item points to
    it. Ids are never used again. Raises StoreError or DamagedError for whatever the database fails at.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._dim: int | None = None
        self.comparisons = Comparisons(database)
        self.removals = Removals(database)

    @classmethod
    def create(cls, path: Path, settings: Mapping[str, str]) -> Store:
        """A new store, open for writing. `settings` must hold `dim`. Refuses a path at which there is a file.

        It is created whole or not at all, also when the process is killed.
        """
        from simsearch.store.creating import make

        try:
            with replacing(path, new=True) as temporary:
                make(temporary, settings, goes_to=path)
        except FileExistsError:
            raise StoreError(f"{path} exists already; open it, or choose another name") from None
        except OSError as error:
            if disk_is_full(error):
                raise full(path, SMALLEST) from error
            raise StoreError(f"{path} cannot be made: {error.strerror or error}") from error
        return cls.open(path, write=True)

    @classmethod
    def open(cls, path: Path, *, write: bool = False) -> Store:
        """The store in the file `path`, brought to the current format. Readers see what others have committed."""
        return cls(open_database(path, write=write))

    def copy_to(self, path: Path) -> None:
        """Writes the store, as it is at one moment, to a new file. Others may write meanwhile."""
        from simsearch.store.exchange.copying import copy_to

        copy_to(self._database, path)

    @property
    def path(self) -> Path:
        return self._database.path

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is from one moment, whatever others write meanwhile. Nothing can be written inside."""
        with self._database.reading():
            yield

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All that is done inside is one transaction: done as a whole, and durable at the end, or not done."""
        with self._database.together():
            yield

    # -- settings ----------------------------------------------------------------------------------------------

    def setting(self, key: str) -> str | None:
        with self._database.reading() as connection:
            return reading.setting(connection, key)

    def chosen_settings(self) -> dict[str, str]:
        """The settings that users have chosen, without what a database has for itself or by its encoder."""
        with self._database.reading() as connection:
            return reading.chosen_settings(connection)

    def set_settings(self, settings: Mapping[str, str], *, if_empty: bool = False) -> bool:
        """Replaces settings, with `if_empty` only of a store without items and examples; returns whether it did."""
        with self._database.writing() as connection:
            done = writing.set_settings(connection, settings, if_empty=if_empty)
        self._dim = None
        return done

    @property
    def dim(self) -> int:
        """The length of the vectors; pinned when the store is made."""
        if self._dim is None:
            with self._database.reading() as connection:
                self._dim = reading.number_setting(connection, "dim")
        return self._dim

    def identity(self) -> str:
        """A value that another database does not have, unless it is a copy of this one."""
        # One of an older format has none of its own, only that by which its removals of duplicates know it.
        return self.setting("database") or self.setting("id") or ""

    def generation(self) -> int:
        """How often the set of contents has changed."""
        with self._database.reading() as connection:
            return reading.number_setting(connection, "generation")

    def last_content_id(self) -> int:
        """The largest content id that was ever given; 0 at first."""
        with self._database.reading() as connection:
            return reading.last_id(connection, CONTENT.name)

    def last_item_id(self) -> int:
        """The largest item id that was ever given; 0 at first."""
        with self._database.reading() as connection:
            return reading.last_id(connection, ITEM.name)

    def counts(self) -> Counts:
        with self._database.reading() as connection:
            return reading.counts(connection)

    def problem_count(self) -> int:
        """The number of items whose files could not be read when they were last indexed."""
        with self._database.reading() as connection:
            return reading.problem_count(connection)

    # -- items and contents --------------------------------------------------------------------------------------

    def known(self, uris: Sequence[str]) -> dict[str, Known]:
        """What is stored under each of the uris that there are. Cheap: some 2 µs for each."""
        with self._database.reading() as connection:
            return reading.known(connection, uris)

    def content_ids(self, shas: Sequence[bytes]) -> dict[bytes, int]:
        """The ids of those contents that are stored, by their sha256."""
        with self._database.reading() as connection:
            return reading.content_ids(connection, shas)

    def write(self, batch: Sequence[Write]) -> None:
        """Stores items, and the contents that are new; contents that lose their last item go. Item ids stay.

        Of two writes to one uri the later counts. Raises StoreError, with nothing done, when a vector is missing.
        """
        with self._database.writing() as connection:
            writing.write(connection, batch)

    def set_labels(self, rows: Sequence[tuple[int, str | None]]) -> None:
        """Sets or, with None, takes away the labels of items, by id."""
        with self._database.writing() as connection:
            writing.set_labels(connection, rows)

    def set_metadata(self, metadata: Mapping[int, Metadata]) -> None:
        """Replaces the metadata of items, by id."""
        with self._database.writing() as connection:
            writing.set_metadata(connection, metadata)

    def remove_items(self, ids: Ids) -> int:
        """Takes out items, all or none, with the contents that lose their last one; returns how many there were."""
        with self._database.writing() as connection:
            return writing.remove_items(connection, ids)

    def digests(self, content_ids: Sequence[int]) -> dict[int, bytes]:
        """The sha256 of contents by id."""
        with self._database.reading() as connection:
            return reading.digests(connection, content_ids)

    def picture_sizes(self, content_ids: Sequence[int]) -> dict[int, tuple[int, int]]:
        """Width and height in pixels, as seen, of those contents that are pictures, by id."""
        with self._database.reading() as connection:
            return reading.picture_sizes(connection, content_ids)

    def set_stamps(self, rows: Sequence[tuple[int, int, int]]) -> None:
        """Records inode and ctime of readable, unchanged files of items: (id, inode, ctime_ns)."""
        with self._database.writing() as connection:
            writing.set_stamps(connection, rows)

    def set_problems(self, problems: Mapping[int, str]) -> None:
        """Records why the files of items could not be read, by id; storing the item again clears it."""
        with self._database.writing() as connection:
            writing.set_problems(connection, problems)

    def ids_under(self, root: str) -> Ids:
        """The items in a folder, however deep, or in a file, and the one that is exactly that path; by ascending id."""
        with self._database.reading() as connection:
            return reading.ids_under(connection, root)

    def ids_under_each(self, roots: Sequence[str]) -> list[list[int]]:
        """`ids_under` of each root, of which there may be many: some 10 µs for each."""
        with self._database.reading() as connection:
            return reading.ids_under_each(connection, roots)

    def items(self, ids: Ids) -> list[Item]:
        """The items that there are of those asked for, by ascending id."""
        with self._database.reading() as connection:
            return reading.items(connection, reading.among(ITEM.c.id, ids.tolist()))

    def items_by_uri(self, uris: Sequence[str]) -> dict[str, Item]:
        """The items that there are under those uris; `known` is cheaper and knows less."""
        with self._database.reading() as connection:
            return {
                item.uri: item
                for part in reading.chunks(uris)
                for item in reading.items(connection, ITEM.c.uri.in_(part))
            }

    def item_by_uri(self, uri: str) -> Item | None:
        with self._database.reading() as connection:
            found = reading.items(connection, ITEM.c.uri == uri)
            return found[0] if found else None

    def vectors(self, after: int = 0, batch: int = 10_000) -> Iterator[tuple[Ids, Vectors]]:
        """The vectors of contents with an id above `after`, by ascending id. Holds `batch` of them in memory."""
        while True:
            with self._database.reading() as connection:
                ids, vectors = reading.page_of_vectors(connection, after, batch, self.dim)
            if not len(ids):
                return
            yield ids, vectors
            after = int(ids[-1])

    def vectors_of(self, content_ids: Sequence[int]) -> Vectors:
        """The vectors of contents, in the order asked for. Raises StoreError for one that is not there."""
        with self._database.reading() as connection:
            return reading.vectors_of(connection, content_ids, self.dim)

    def item_rows(self, batch: int = 1000, where: Condition | None = None) -> Iterator[tuple[list[ItemRow], Vectors]]:
        """The items by ascending id with the vectors of their contents. Holds `batch` of them in memory."""
        after = 0
        while True:
            with self._database.reading() as connection:
                rows, vectors = item_rows.page(connection, after, batch, self.dim, where)
            if not rows:
                return
            yield rows, vectors
            after = rows[-1].id

    def removed_since(self, generation: int) -> Ids | None:
        """The contents that went after `generation`; None when the journal does not reach back that far."""
        with self._database.reading() as connection:
            return reading.removed_since(connection, generation)

    def trim_journal(self, generation: int) -> None:
        """Forgets which contents went up to `generation`."""
        with self._database.writing() as connection:
            writing.trim_journal(connection, generation)

    def compact(self) -> None:
        """Gives back the space of what was deleted. Needs as much free space as the database takes."""
        from simsearch.store import erasing

        erasing.compact(self._database)

    def check(self) -> list[str]:
        """The problems of the database, as sentences. Reads all of it."""
        from simsearch.store import checking

        with self._database.reading() as connection:
            return checking.problems(connection, self._database.path)
