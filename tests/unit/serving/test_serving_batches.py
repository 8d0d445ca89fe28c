"""Queries that arrive together are answered together, each with its own answer; too many are turned away."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hash_encoder import HashEncoder
from serving_client import API, BEARER, SETTINGS, client_of

from simsearch import Collection
from simsearch.errors import MediaError
from simsearch.serving.answers import ApiError
from simsearch.serving.api.search import Found, Search
from simsearch.serving.batching import Batcher, Examples, ItemId
from simsearch.serving.metrics import Metrics
from simsearch.serving.served import Served
from simsearch.serving.settings import Limits
from simsearch.types import Text
from simsearch.vectors.audit import Audit

WORDS = [f"text {number}" for number in range(40)]


class Gated(HashEncoder):
    """Waits at its first call until it is let through; counts how many texts come in each."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.open, self.calls = threading.Event(), threading.Event(), list[int]()

    def encode(self, sources: Sequence[Any]) -> Any:
        self.begun.set()
        assert self.open.wait(30)
        self.calls.append(len(sources))
        return super().encode(sources)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A folder with a collection of texts."""
    with Collection.create(tmp_path / "texts", HashEncoder()) as collection:
        collection.add_texts(WORDS, WORDS)
    return tmp_path / "texts"


Run = Callable[[Callable[[Batcher], Coroutine[Any, Any, Any]]], Any]


@pytest.fixture
def gated(texts: Path) -> Iterator[tuple[Gated, Served]]:
    encoder = Gated()
    served = Served("texts", texts, encoder)
    yield encoder, served
    served.close()


def run(served: Served, body: Callable[[Batcher], Coroutine[Any, Any, Any]], limits: Limits | None = None) -> Any:
    """Runs a body with a batcher, and closes that."""

    async def whole() -> Any:
        batcher = Batcher(served, limits or Limits(), Metrics())
        try:
            return await body(batcher)
        finally:
            await batcher.close()

    return asyncio.run(whole())


async def begun(encoder: Gated) -> None:
    assert await asyncio.to_thread(encoder.begun.wait, 30)


def test_what_gathers_while_one_is_answered_is_encoded_together(gated: tuple[Gated, Served]) -> None:
    encoder, served = gated

    async def body(batcher: Batcher) -> list[Found]:
        first = asyncio.create_task(batcher.ask(Search(), Text(WORDS[0])))
        await begun(encoder)
        others = [asyncio.create_task(batcher.ask(Search(k=3 + n % 2), Text(WORDS[n]))) for n in range(1, 30)]
        await asyncio.sleep(0)
        encoder.open.set()
        return await asyncio.gather(first, *others)

    found = run(served, body)
    assert encoder.calls == [1, 15, 14]
    assert [one.matches[0].item.uri for one in found] == WORDS[:30]
    assert [len(one.matches) for one in found[1:5]] == [4, 3, 4, 3]


def test_each_kind_of_query_and_error_finds_its_own_client(gated: tuple[Gated, Served]) -> None:
    encoder, served = gated
    encoder.open.set()
    with Collection.open(served.folder, HashEncoder()) as collection:
        vector = collection.store.vectors_of([7])[0]
    asked = [Text(WORDS[3]), ItemId(5), vector, Text("refused"), ItemId(999), Examples(None, (9,), (10,)), Text(" ")]

    async def body(batcher: Batcher) -> list[Any]:
        return await asyncio.gather(*(batcher.ask(Search(k=1), one) for one in asked), return_exceptions=True)

    text, item, row, refused, gone, examples, blank = run(served, body)
    assert [one.matches[0].item.id for one in (text, item, row, examples)] == [4, 5, 7, 9]
    assert [type(one) for one in (refused, gone, blank)] == [MediaError, ApiError, MediaError]
    assert (gone.status, gone.code) == (404, "no_item")


def test_a_full_queue_and_a_slow_answer_are_told(gated: tuple[Gated, Served]) -> None:
    encoder, served = gated

    async def body(batcher: Batcher) -> list[Any]:
        first = asyncio.create_task(batcher.ask(Search(), Text(WORDS[0])))
        await begun(encoder)
        others = [asyncio.create_task(batcher.ask(Search(), Text(WORDS[n]))) for n in (1, 2, 3)]
        found = await asyncio.gather(first, *others, return_exceptions=True)
        encoder.open.set()
        return found

    found = run(served, body, Limits(queue=2, answer_seconds=0.05))
    assert [(one.status, one.code) for one in found] == [(503, "busy")] * 4
    assert "too many" in str(found[3])
    assert "too long" in str(found[0])


def test_clients_that_have_gone_are_not_worked_for(gated: tuple[Gated, Served]) -> None:
    encoder, served = gated

    async def body(batcher: Batcher) -> Found:
        first = asyncio.create_task(batcher.ask(Search(), Text(WORDS[0])))
        await begun(encoder)
        gone = [asyncio.create_task(batcher.ask(Search(), Text(WORDS[n]))) for n in (1, 2)]
        last = asyncio.create_task(batcher.ask(Search(), Text(WORDS[3])))
        await asyncio.sleep(0)
        for task in gone:
            task.cancel()
        await asyncio.sleep(0)
        encoder.open.set()
        await first
        found = await last
        assert isinstance(found, Found)
        return found

    assert run(served, body).matches[0].item.uri == WORDS[3]
    assert encoder.calls == [1, 1]


def test_a_fault_reaches_those_who_asked_and_nobody_else(gated: tuple[Gated, Served]) -> None:
    encoder, served = gated
    encoder.open.set()

    class Faulty(Search):
        def answers(self, collection: Collection, sources: Sequence[Any]) -> list[Found]:
            raise ZeroDivisionError

    async def body(batcher: Batcher) -> list[Any]:
        broken = await asyncio.gather(batcher.ask(Faulty(), Text("a")), return_exceptions=True)
        return [*broken, await batcher.ask(Search(k=1), Text(WORDS[0]))]

    error, found = run(served, body)
    assert isinstance(error, ZeroDivisionError)
    assert found.matches[0].item.uri == WORDS[0]


def test_many_clients_at_once_get_what_they_would_alone(texts: Path) -> None:
    """Over HTTP, while another process adds and removes."""
    with client_of([Served("texts", texts, HashEncoder())], SETTINGS) as client:

        def ask(number: int) -> tuple[int, str]:
            body = {"text": WORDS[number % 40], "k": 1 + number % 3}
            answer = client.post(f"{API}/search", json=body, headers=BEARER)
            return answer.status_code, answer.json()["matches"][0]["path"]

        with ThreadPoolExecutor(8) as threads:
            asked = [threads.submit(ask, number) for number in range(200)]
            with Collection.open(texts, HashEncoder()) as collection:
                for number in range(10):
                    collection.add_texts([f"new {number}"], [f"new {number}"])
                    collection.remove([f"new {number}"])
            found = [one.result() for one in asked]
    assert found == [(200, WORDS[number % 40]) for number in range(200)]


def test_a_collection_of_texts_and_one_of_vectors_are_served_beside_each_other(texts: Path, tmp_path: Path) -> None:
    with Collection.create(tmp_path / "vectors", dim=4) as collection:
        collection.add_vectors(["a", "b"], np.eye(4)[:2])
    served = [Served("texts", texts, HashEncoder()), Served("vectors", tmp_path / "vectors")]
    with client_of(served, SETTINGS) as client:
        client.headers.update(BEARER)
        which = client.post(f"{API}/search", json={"text": "a"})
        assert (which.status_code, which.json()["error"]["field"]) == (400, "collection")
        assert which.json()["error"]["message"].endswith("; choose by ?collection=NAME")
        listed = client.get(f"{API}/collections").json()["collections"]
        assert [(one["name"], one["modality"], one["takes_words"]) for one in listed] == [
            ("texts", "text", True),
            ("vectors", "vector", False),
        ]
        asked = {"params": {"collection": "texts"}}
        bare = client.post(f"{API}/search", content=WORDS[4], headers={"Content-Type": "text/plain"}, **asked).json()
        assert (bare["score_kind"], bare["matches"][0]["text"]) == ("texts", WORDS[4])
        assert bare["matches"][0]["thumbnail"] is None
        assert client.get(f"{API}/items/5/thumbnail", **asked).status_code == 404
        whole = client.get(f"{API}/items/5/file", **asked)
        assert (whole.text, whole.headers["content-type"]) == (WORDS[4], "text/plain; charset=utf-8")
        assert (
            client.post(f"{API}/identities/faq/examples", json={"items": [1], "texts": ["x"]}, **asked).json()["added"]
            == 2
        )
        of_vectors = {"params": {"collection": "vectors"}}
        assert (
            client.post(f"{API}/search", json={"vector": [0, 3, 0, 0], "k": 1}, **of_vectors).json()["matches"][0][
                "path"
            ]
            == "b"
        )
        assert (
            client.post(f"{API}/search", content=b"x", headers={"Content-Type": "image/png"}, **of_vectors).status_code
            == 415
        )
        assert client.post(f"{API}/search", json={"text": "x"}, **of_vectors).status_code == 400
        assert client.post(f"{API}/identities/b/examples", json={"items": [2]}, **of_vectors).json()["added"] == 1
        assert (
            client.post(f"{API}/recognize", json={"vectors": [[0, 1, 0, 0]]}, **of_vectors).json()["answers"][0][
                "label"
            ]
            == "b"
        )


class Knowing(HashEncoder):
    """Has a vocabulary of one word."""

    def unknown_words(self, text: str) -> list[str]:
        return [word for word in text.split() if word != "text"]


def test_words_that_are_ignored_are_named(texts: Path) -> None:
    with client_of([Served("texts", texts, Knowing())], SETTINGS) as client:
        said = client.post(f"{API}/search", json={"text": "text xyzzy"}).json()["remarks"]
        assert client.post(f"{API}/search", json={"item": 1}).json()["remarks"] == []
    assert said == ["xyzzy: not in the vocabulary of the encoder, ignored"]


def test_what_was_measured_of_the_index_is_in_the_metrics(tmp_path: Path) -> None:
    audit, lists = Audit(0.991, 0.985, 0.996, 200), "lists"
    with Collection.create(tmp_path / "vectors", dim=4) as collection:
        info = collection.info()
    metrics = Metrics()
    metrics.holds("vectors", info)
    assert "simsearch_recall{" not in metrics.text().decode()
    metrics.holds("vectors", replace(info, items=7, index=replace(info.index, kind=lists, recall=audit)))
    assert 'simsearch_recall{collection="vectors"} 0.991' in metrics.text().decode()
    assert 'simsearch_items{collection="vectors"} 7.0' in metrics.text().decode()
