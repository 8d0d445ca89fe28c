"""One connection to the database file: opened safely, used in transactions, its errors translated in one place."""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path, PurePath

from sqlalchemy import Connection, Engine, NullPool, create_engine, event
from sqlalchemy.exc import DBAPIError, StatementError

from simsearch.errors import (
    CollectionNotFoundError,
    DamagedError,
    DiskFullError,
    LockedError,
    SimsearchError,
    StoreError,
)
from simsearch.space import missing_space
from simsearch.store.filters.columns import add_functions
from simsearch.store.migrations import apply, pending

BUSY_SECONDS = 10.0
SMALLEST = 64 * 1024
"""Bytes that SQLite needs beside the database before it reads or writes anything: those of its shared memory."""
_CURES = {
    sqlite3.SQLITE_READONLY: "it cannot be written; make the file and its folder writable",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; look at the permissions of the file and its folder",
    sqlite3.SQLITE_PERM: "it cannot be opened; look at the permissions of the file and its folder",
}


class Database:
    """A connection in which everything is a transaction. Threads may share it; they take turns."""

    def __init__(self, path: Path, *, write: bool, immutable: bool = False, alone: bool = False) -> None:
        """With `immutable` the file is taken as unchanging; with `alone` nobody else can read it meanwhile."""
        self.path = path
        self.write = write
        self._turn = threading.RLock()
        self._inside = False
        self._together = False
        engine = engine_of(path, "mode=ro&immutable=1" if immutable else "mode=rw", alone=alone)
        with translating_errors(path):
            self._connection: Connection | None = engine.connect()
        try:
            self._migrate(immutable)
        except (StoreError, DamagedError) as error:
            self.close()
            if str(path) in str(error):
                raise
            raise type(error)(f"{path}: {error}") from error

    def _migrate(self, immutable: bool) -> None:
        with self.reading() as connection:
            missing = pending(connection)
        if missing and immutable:
            raise StoreError("made by an older simsearch; open it once where its folder can be written")
        for migration in missing:
            with self._transaction(immediate=True) as connection:
                # Another process may have been faster.
                if migration in pending(connection):
                    apply(connection, migration)

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction for reading; inside another one of this thread it is that one."""
        with self._turn:
            if self._inside:
                with translating_errors(self.path):
                    yield self._open()
            else:
                with self._transaction(immediate=False) as connection:
                    yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction for writing: committed at the end, rolled back when anything was raised."""
        if not self.write:
            raise StoreError(f"{self.path} was opened to read")
        with self._turn:
            if self._together:
                with translating_errors(self.path):
                    yield self._open()
                return
            if self._inside:
                raise StoreError(f"{self.path}: nothing can be written inside a snapshot; leave it first")
            with self._transaction(immediate=True) as connection:
                yield connection

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All that this thread reads and writes inside is one transaction: committed at the end, or rolled back."""
        with self.writing():
            self._together = True
            try:
                yield
            finally:
                self._together = False

    @contextlib.contextmanager
    def _transaction(self, *, immediate: bool) -> Iterator[Connection]:
        with self._turn, translating_errors(self.path):
            connection = self._open()
            connection.info["immediate"] = immediate
            with connection.begin():
                self._inside = True
                try:
                    yield connection
                finally:
                    self._inside = False

    @contextlib.contextmanager
    def outside(self) -> Iterator[sqlite3.Connection]:
        """The connection of the driver outside of any transaction, for statements that allow none."""
        with self._turn, translating_errors(self.path):
            if self._inside:
                raise StoreError(f"{self.path}: inside a transaction; leave it first")
            driver = self._open().connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            yield driver

    def state(self) -> tuple[int, int]:
        """A value that changes with the database: how often others have changed it since, and how often this has."""
        with self._turn, translating_errors(self.path):
            driver = self._open().connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            (version,) = driver.execute("PRAGMA data_version").fetchone()
            return int(version), driver.total_changes

    def _open(self) -> Connection:
        if self._connection is None:
            raise StoreError(f"{self.path} was closed")
        return self._connection

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection.engine.dispose()
                self._connection = None


def _begin(connection: Connection) -> None:
    # A write that begins as a read may find at its first change that another process was there before it.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.info.get("immediate") else "BEGIN")


def engine_of(path: Path, query: str, *, alone: bool = False) -> Engine:
    """Connects to a database file; `query` is that of the URI. Each transaction begins where it is begun."""
    uri = sqlite_uri(path.absolute(), query)
    engine = create_engine("sqlite://", creator=lambda: _connect(uri, alone), poolclass=NullPool)
    # The driver would begin a transaction only at the first change; a snapshot must begin with the first look.
    event.listen(engine, "begin", _begin)
    return engine


def _connect(uri: str, alone: bool) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    add_functions(connection)
    try:
        # FULL: with WAL, NORMAL may lose the last transactions when the power fails. fullfsync: the same on macOS.
        for pragma in ("foreign_keys = ON", "synchronous = FULL", "fullfsync = ON", "checkpoint_fullfsync = ON"):
            connection.execute(f"PRAGMA {pragma}")
        # What is deleted is overwritten with zeros, so that nothing is left of an identity that is forgotten.
        connection.execute("PRAGMA secure_delete = ON")
        if alone:
            # Set before the first look, it keeps in memory what would else be a file of shared memory.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    except BaseException:
        connection.close()
        raise
    return connection


def open_database(path: Path, *, write: bool) -> Database:
    """The database in the file `path`. To read where nothing can be written, it is taken as unchanging.

    Raises CollectionNotFoundError, DamagedError, or StoreError with the cure.
    """
    if not path.is_file():
        raise CollectionNotFoundError(f"There is no database at {path}. Make a collection: simsearch index FOLDER")
    if can_write(path.parent):
        try:
            return Database(path, write=write)
        except DiskFullError:
            if write:
                raise
        # Changes that lie beside the file can be read by one process alone, without shared memory.
        return Database(path, write=False, immutable=not _has_journal(path), alone=_has_journal(path))
    if write:
        raise StoreError(f"{path.parent} cannot be written; make it writable, or copy it to where you can write")
    if _has_journal(path):
        journal = path.with_name(path.name + "-wal")
        raise StoreError(
            f"{path} cannot be read here: its folder cannot be written, and its latest changes lie in {journal.name}. "
            f"Run once where it can be written: simsearch check --index {path.parent}"
        )
    return Database(path, write=False, immutable=True)


def _has_journal(path: Path) -> bool:
    """Whether the latest changes lie beside the database file."""
    journal = path.with_name(path.name + "-wal")
    return journal.exists() and bool(journal.stat().st_size)


def full(path: Path, needed: int) -> DiskFullError:
    """The error that says that the disk is full, and about how many bytes are needed."""
    return DiskFullError(
        f"{path} cannot be written: {missing_space(path, needed)}; free some space and run it again, what was reported "
        "as stored is there"
    )


def can_write(folder: Path) -> bool:
    """Whether files can be made in a folder."""
    if os.name == "posix":
        return os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids)
    return can_create_file(folder)


def can_create_file(folder: Path) -> bool:
    """Whether a file can be made in a folder, by making one: on Windows permission bits do not show it."""
    probe = folder / f".{os.getpid()}.{secrets.token_hex(4)}.tmp"
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError:
        return False
    return True


def sqlite_uri(path: PurePath, query: str) -> str:
    """The URI by which SQLite opens an absolute path. It knows no hosts: a Windows share becomes `////host/share`."""
    uri = path.as_uri()
    if not uri.startswith("file:///"):
        uri = "file:////" + uri.removeprefix("file://")
    return f"{uri}?{query}"


@contextlib.contextmanager
def translating_errors(path: Path) -> Iterator[None]:
    """Turns every error of the database inside into one line with the path and, where there is one, the cure."""
    try:
        yield
    except UnicodeDecodeError as error:
        # SQLite quotes a damaged schema in its messages, and the driver takes them for valid text.
        raise DamagedError(f"{path}: {error}. Restore a copy, or remove the collection and index again") from error
    except DBAPIError as error:
        raise _translated(path, error.orig) from error
    except sqlite3.Error as error:
        raise _translated(path, error) from error
    except StatementError as error:
        # An error of our own, raised while a value was turned into what is stored.
        if isinstance(error.orig, SimsearchError):
            raise error.orig from None
        raise


def _translated(path: Path, cause: BaseException | None) -> SimsearchError:
    # The low byte is the kind of error, the rest its details.
    detailed = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    code = detailed & 0xFF
    if code == sqlite3.SQLITE_FULL or detailed == sqlite3.SQLITE_IOERR_SHMSIZE:
        return full(path, SMALLEST)
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_FORMAT):
        return DamagedError(f"{path}: {cause}. Restore a copy, or remove the collection and index again")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LockedError(f"{path} is locked by another process; wait until that is done, or stop it")
    return StoreError(f"{path}: {_CURES.get(code, cause)}")
