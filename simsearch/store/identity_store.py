"""The part of the store that recognition uses: examples, impostors and the calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from simsearch.store import calibrations, erasing, examples
from simsearch.store.duplicates.removals import forget_label
from simsearch.store.schema import EXAMPLE

if TYPE_CHECKING:
    from simsearch.store.database import Database
    from simsearch.store.records import Impostor, NewExample, NewImpostor, StoredCalibration, StoredTops
    from simsearch.types import Example, Ids, Scores, Vectors


class IdentityStore:
    """Every method is one transaction: done as a whole, and durable when it returns, or not done."""

    _database: Database

    def add_examples(self, rows: Sequence[tuple[str, NewExample]]) -> dict[str, int]:
        """Stores examples, each with its label; returns how many are new to each label. Others are left as they are."""
        with self._database.writing() as connection:
            return examples.add(connection, rows)

    def remove_label(self, label: str) -> int:
        """Removes the examples of a label, and impostors of that name or content; returns how many examples it had."""
        with self._database.writing() as connection:
            calibrations.remove_identity(connection, label)
            forget_label(connection, label)
            return examples.remove(connection, EXAMPLE.c.label == label)

    def erase_traces(self) -> bool:
        """Overwrites what was deleted, in all files of the database; returns False while readers prevent it."""
        return erasing.erase_traces(self._database)

    def rows_naming(self, label: str) -> dict[str, int]:
        """How many examples, impostors and items name a label as an identity, or have it in their paths or labels."""
        with self._database.reading() as connection:
            return calibrations.rows_naming(connection, label)

    def digests_of_label(self, label: str) -> list[bytes]:
        """The sha256 of the contents of the examples of a label."""
        with self._database.reading() as connection:
            return examples.digests(connection, EXAMPLE.c.label == label)

    def digests_of_examples(self, ids: Sequence[int]) -> list[bytes]:
        """The sha256 of the contents of examples."""
        with self._database.reading() as connection:
            return examples.digests(connection, EXAMPLE.c.id.in_(ids))

    def remove_identity_contents(self, digests: Sequence[bytes]) -> int:
        """Removes the examples and impostors with these contents, under whatever label; returns how many examples."""
        with self._database.writing() as connection:
            calibrations.remove_contents(connection, digests)
            return examples.remove(connection, EXAMPLE.c.sha256.in_(digests))

    def example_rows(self) -> list[tuple[int, str, NewExample]]:
        """Every example by ascending id, as it is stored: its id, its label and the rest."""
        with self._database.reading() as connection:
            return examples.rows(connection)

    def remove_examples(self, ids: Sequence[int]) -> int:
        """Removes examples by id; returns how many there were."""
        with self._database.writing() as connection:
            return examples.remove(connection, EXAMPLE.c.id.in_(ids))

    def move_label(self, label: str, target: str) -> tuple[int, int]:
        """Gives the examples of a label to another; returns how many were moved, and how many that one had already."""
        with self._database.writing() as connection:
            return examples.move(connection, label, target)

    def labels(self) -> dict[str, int]:
        """The labels in alphabetical order, with their numbers of examples."""
        with self._database.reading() as connection:
            return examples.labels(connection)

    def examples(self) -> tuple[tuple[Example, ...], Vectors]:
        """Every example by ascending id, and their vectors, shape (n, dim)."""
        with self._database.reading() as connection:
            return examples.all_of(connection)

    def examples_of(self, labels: Sequence[str]) -> tuple[tuple[Example, ...], Vectors]:
        """The examples of these labels by ascending id, and their vectors."""
        with self._database.reading() as connection:
            return examples.of_labels(connection, labels)

    def examples_after(self, last: int) -> tuple[tuple[Example, ...], Vectors]:
        """The examples with a higher id than `last`, ascending, and their vectors."""
        with self._database.reading() as connection:
            return examples.after(connection, last)

    def gallery_rewritten(self) -> int:
        """The last generation of the gallery at which more was done than adding examples."""
        with self._database.reading() as connection:
            return examples.rewritten(connection)

    def example_labels_of(self, uris: Sequence[str]) -> dict[int, str]:
        """The examples that were enrolled under one of these uris, by id, with their labels."""
        with self._database.reading() as connection:
            return examples.labels_by_uri(connection, uris)

    def labels_of_contents(self, digests: Sequence[bytes]) -> dict[bytes, list[str]]:
        """The labels that each of these contents is an example of, by its sha256."""
        with self._database.reading() as connection:
            return examples.labels_of_contents(connection, digests)

    def example_digests(self) -> dict[int, bytes]:
        """The sha256 of the content of each example, by its id."""
        with self._database.reading() as connection:
            return examples.all_digests(connection)

    def example_contents(self) -> dict[bytes, str]:
        """The sha256 of the contents of all examples, with a label of each."""
        with self._database.reading() as connection:
            return examples.contents(connection)

    def gallery_generation(self) -> int:
        """How often the set of examples has changed."""
        with self._database.reading() as connection:
            return examples.generation(connection)

    def calibration(self) -> StoredCalibration | None:
        """The calibration of recognition, if there is one."""
        with self._database.reading() as connection:
            return calibrations.stored(connection)

    def calibrate(
        self, document: str, impostors: Sequence[NewImpostor], tops: Scores, owners: Ids | None = None
    ) -> None:
        """Replaces the calibration and its impostors, with their top scores; counts as a change of the gallery.

        `owners` has the id of an example of the label of each top score.
        """
        with self._database.writing() as connection:
            now = examples.changed(connection, rewritten=False)
            calibrations.replace(connection, document, impostors, tops, owners, now)

    def tops(self) -> StoredTops | None:
        """The top scores of the impostors, if there is a calibration."""
        with self._database.reading() as connection:
            return calibrations.stored_tops(connection)

    def set_tops(self, tops: Scores, owners: Ids | None, gallery: int) -> None:
        """Stores the top scores of the impostors, by ascending id, against that generation of the gallery."""
        with self._database.writing() as connection:
            calibrations.set_tops(connection, tops, owners, gallery)

    def enrolled_impostors(self) -> Ids:
        """The ids of the impostors whose identity or content is enrolled, ascending."""
        with self._database.reading() as connection:
            return calibrations.enrolled(connection)

    def impostor_ids(self) -> Ids:
        """The ids of all impostors, ascending."""
        with self._database.reading() as connection:
            return calibrations.impostor_ids(connection)

    def impostors(self) -> tuple[tuple[Impostor, ...], Vectors]:
        """Every impostor by ascending id, and their vectors, shape (n, dim)."""
        with self._database.reading() as connection:
            return calibrations.impostors(connection)
