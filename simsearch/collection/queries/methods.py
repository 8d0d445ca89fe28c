"""The methods of a collection that search."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.collection import querying
from simsearch.collection.opened import OpenCollection
from simsearch.collection.queries.filtering import nearest
from simsearch.collection.queries.matching import Searched
from simsearch.collection.queries.remembered import Filters
from simsearch.collection.queries.request import requested
from simsearch.collection.queries.resolving import items_in, resolved
from simsearch.media.arguments import TEXT, allow, source_list
from simsearch.types import Item

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from simsearch.collection.results import Matches
    from simsearch.mixes import Mix
    from simsearch.types import Ids, Match, QueryLike, Scores
    from simsearch.where.tree import Condition


class QueryMethods(OpenCollection):
    """An open collection that is searched."""

    _filters: Filters | None = None

    def close(self) -> None:
        self._filters = None
        super().close()

    def query(
        self,
        source: QueryLike | Mix,
        k: int | None = 10,
        *,
        min_score: float | None = None,
        where: str | None = None,
        offset: int = 0,
        exclude_self: bool = False,
        diverse: bool | float = False,
        encoding: str | None = None,
    ) -> Matches:
        """The k items nearest to a path, image, text, open file, stored item, vector or `Mix`, best first.

        A str is a path if such a file exists, else the name of a stored item, else a text; a `Path` is always a file,
        a `types.Text` always a text. A stored item finds itself first unless `exclude_self`. `encoding` is that of text
        files without a byte order mark, by default UTF-8. Raises MediaError when the file cannot be read.

        With k None all that score `min_score` or more are found. Only items for which the filter `where` holds count,
        such as "label = 'cat' and size > 1000". The first `offset` matches are passed over. `diverse` prefers
        results that differ from one another, by so much from 0 to 1 (True is 0.3), and folds near copies into one.
        """
        (found,) = self.query_many(
            [source],
            k,
            min_score=min_score,
            where=where,
            offset=offset,
            exclude_self=exclude_self,
            diverse=diverse,
            encoding=encoding,
        )
        return found

    def query_many(
        self,
        sources: Iterable[QueryLike | Mix],
        k: int | None = 10,
        *,
        min_score: float | None = None,
        where: str | None = None,
        offset: int = 0,
        exclude_self: bool = False,
        diverse: bool | float = False,
        encoding: str | None = None,
    ) -> list[Matches]:
        """`query` for several sources, encoded and searched together; errors name the row, from 0."""
        request = requested(k, min_score, self.condition(where), offset, exclude_self, diverse)
        allow(TEXT, encoding=encoding)
        given = source_list(sources)

        def answer() -> list[Matches]:
            queries, vectors = resolved(self, given, encoding)
            return Searched(self.index, self.filters()).matches(queries, vectors, request)

        return self.steadily(answer)

    def iterate_matches(
        self,
        source: QueryLike | Mix,
        min_score: float,
        *,
        where: str | None = None,
        offset: int = 0,
        exclude_self: bool = False,
        encoding: str | None = None,
    ) -> Iterator[Match]:
        """All matches that score `min_score` or more, best first, read as they are asked for: there may be millions."""
        request = requested(None, min_score, self.condition(where), offset, exclude_self)
        allow(TEXT, encoding=encoding)
        (query,), vectors = resolved(self, [source], encoding)
        return Searched(self.index, self.filters()).above(vectors, request, items_in(query) if exclude_self else ())

    def search(self, vectors: ArrayLike, k: int = 10, *, where: str | None = None) -> tuple[Ids, Scores]:
        """Content ids and scores as arrays of shape (n, min(k, contents)), for programs that need speed.

        With `where` only contents count that have an item for which it holds.
        """
        from simsearch.vectors.arrays import as_vectors

        condition = self.condition(where)
        return self.steadily(lambda: nearest(self.filters(), self.index, as_vectors(vectors, self.dim), k, condition))

    def items(self, where: str | None = None) -> Iterator[Item]:
        """All items, or those for which the filter holds, by ascending id; streams."""
        batches = self.store.iterate_items(where=self.condition(where))
        return (item for batch in batches for item in batch)

    def condition(self, where: str | None) -> Condition | None:
        """What a filter means. Raises UsageError for one that cannot be read or names what no item has."""
        return None if where is None else self.filters().condition(where)

    def __iter__(self) -> Iterator[Item]:
        return self.items()

    def __contains__(self, item: object) -> bool:
        """Whether there is an item of this path or uri."""
        name = item.uri if isinstance(item, Item) else item
        return isinstance(name, (str, Path)) and querying.item_named(self.store, name) is not None

    def filters(self) -> Filters:
        """What filters match, remembered until the collection changes."""
        if self._filters is None or self._filters.store is not self.store:
            self._filters = Filters(self.store)
        return self._filters
