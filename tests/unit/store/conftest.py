from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from simsearch.store import Store

SETTINGS = {"dim": "4", "encoder": "photo", "fingerprint": "a1b2"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "collection.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.create(path, SETTINGS) as store:
        yield store
