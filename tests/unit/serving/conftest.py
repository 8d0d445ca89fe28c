"""A server in this process over a collection of pictures, and a client of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving_client import BEARER, SETTINGS, Connect, client_of

from simsearch import Collection
from simsearch.encoders import open_encoder
from simsearch.serving.served import Served

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from simsearch.types import Encoder


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, tiny: Path, draw: Callable[..., Path]) -> Path:
    """A folder with a collection, indexed from pictures in two labelled folders of it; not to be changed."""
    place = tmp_path_factory.mktemp("served")
    for seed in range(8):
        draw(place / "gallery" / ("cats" if seed < 4 else "dogs") / f"{seed}.png", seed)
    with Collection.create(place / "index", tiny) as collection:
        collection.add(place / "gallery", labels="folder")
    return place


@pytest.fixture
def place(made: Path, tmp_path: Path, tiny: Path) -> Path:
    """A folder with a collection and its pictures, for one test."""
    shutil.copytree(made / "gallery", tmp_path / "gallery")
    shutil.copytree(made / "index", tmp_path / "index")
    with Collection.open(tmp_path / "index") as collection:
        collection.move(made / "gallery", tmp_path / "gallery")
    return tmp_path


@pytest.fixture(scope="session")
def encoder(tiny: Path) -> Encoder:
    return open_encoder(tiny)


@pytest.fixture(scope="session")
def visitor(made: Path, encoder: Encoder) -> Iterator[TestClient]:
    """A client with the token, for what changes nothing."""
    with client_of([Served("index", made / "index", encoder)], SETTINGS) as client:
        client.headers.update(BEARER)
        yield client


@pytest.fixture(scope="session")
def reader(made: Path, encoder: Encoder) -> Iterator[TestClient]:
    """A client with the token of a server that only reads."""
    with client_of([Served("index", made / "index", encoder, False)], replace(SETTINGS, read_only=True)) as client:
        client.headers.update(BEARER)
        yield client


@pytest.fixture
def connect(place: Path, encoder: Encoder) -> Iterator[Connect]:
    """Makes a client of a server over the collection, or over those named; settings as keywords."""
    opened: list[Any] = []

    def make(*names: str, token: bool = True, **settings: Any) -> TestClient:
        chosen = replace(SETTINGS, **settings)
        served = [Served(name, place / name, encoder, not chosen.read_only) for name in names or ("index",)]
        client = client_of(served, chosen)
        client.__enter__()
        opened.append(client)
        if token:
            client.headers.update(BEARER)
        return client

    yield make
    for client in opened:
        client.__exit__(None, None, None)


@pytest.fixture
def client(connect: Connect) -> TestClient:
    return connect()


@pytest.fixture
def finished(client: TestClient) -> Callable[[Any], dict[str, Any]]:
    """Waits for the job that an answer says was started."""

    def wait(answer: Any) -> dict[str, Any]:
        assert answer.status_code == 202, answer.text
        jobs = client.app.state.context.jobs  # type: ignore[attr-defined]
        jobs.wait(answer.json()["id"])
        return dict(client.get(answer.headers["location"]).json())

    return wait
