"""Parts of a server by themselves: answers, thumbnails, plans, bodies, cookies, and collections that are missing."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fastapi import APIRouter
from serving_client import API, BEARER, SETTINGS, Connect, client_of

from simsearch import Collection
from simsearch.errors import DamagedError, MediaError, UsageError
from simsearch.serving.answers import KINDS, ApiError, Json, as_api_error
from simsearch.serving.plans import Plans
from simsearch.serving.safety.access import Access
from simsearch.serving.safety.bodies import Bodies
from simsearch.serving.served import Registry, Served
from simsearch.serving.settings import Limits
from simsearch.serving.thumbnails import SIZES, Key, Thumbnails, nearest_size

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from simsearch.types import Encoder


def test_json_has_no_numbers_that_are_none_and_holds_any_name() -> None:
    name = b"\xff".decode("utf-8", "surrogateescape")
    answer = Json({"a": [1.5, math.nan, {"b": math.inf}], "name": name})
    assert answer.body == b'{"a":[1.5,null,{"b":null}],"name":"\\udcff"}'


def test_every_error_has_a_status_and_its_notes() -> None:
    error = DamagedError("the file is damaged")
    error.add_note("restore a copy")
    found = as_api_error(error)
    assert (found.status, found.code, str(found)) == (500, "damaged", "the file is damaged\nrestore a copy")
    assert as_api_error(MediaError("no picture")).status == 400
    assert all(400 <= status < 600 for _, status, _ in KINDS)


def test_a_fault_has_the_form_of_every_error(connect: Connect) -> None:
    client = connect()
    router = APIRouter()

    @router.get("/fault")
    def fault() -> None:
        raise ZeroDivisionError

    @router.get("/full")
    def full() -> None:
        raise OSError(28, "No space left on device")

    client.app.include_router(router)  # type: ignore[attr-defined]
    for path, code in (("/fault", "fault"), ("/full", "system")):
        answer = client.get(path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, code)


def test_thumbnails_are_kept_within_their_bound(place: Path) -> None:
    thumbnails = Thumbnails(kept_bytes=6000)
    with Collection.open(place / "index") as collection:
        items = collection.items_with(list(range(1, 9)))
        made = [thumbnails.get(Key("index", item.content_id, 0, 128), collection, item) for item in items]
        shutil.rmtree(place / "gallery")
        kept = []
        for item in items:
            try:
                kept.append(thumbnails.get(Key("index", item.content_id, 0, 128), collection, item))
            except MediaError:
                kept.append(b"")
    assert kept[0] == b""
    assert kept[-1] == made[-1]
    assert 0 < sum(map(len, kept)) <= 6000


def test_few_sizes_share_the_thumbnails() -> None:
    assert [nearest_size(wanted) for wanted in (1, 64, 65, 1024, 5000)] == [64, 64, 128, 1024, 1024]
    assert list(SIZES) == sorted(SIZES)


def test_plans_of_a_folder_that_cannot_be_written_are_temporary(place: Path) -> None:
    plans, served = Plans(), Served("index", place / "index", None, keeps=False)
    folder = plans.folder(served)
    folder.mkdir()
    for number in range(25):
        plans.place(served, f"{number:04d}").write_text("{}")
    assert plans.find(served, None).stem == "0024"
    assert plans.find(served, "0003").stem == "0003"
    for strange in ("9999", "../0003", "0003.json", ""):
        with pytest.raises(ApiError, match="no such plan"):
            plans.find(served, strange)
    plans.trim(served)
    assert len(list(folder.glob("*"))) == 20
    plans.close()
    assert not folder.exists()
    assert not (place / "index/serving").exists()


def receiving(*messages: dict[str, Any]) -> Callable[[], Any]:
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.Event().wait()
        return left.pop(0)

    return receive


def read(limits: Limits, receive: Callable[[], Any], headers: dict[str, str] | None = None) -> bytes:
    bodies = Bodies(limits)

    async def whole() -> bytes:
        with bodies.room() as room:
            return await bodies.read(headers or {}, receive, room)

    try:
        return asyncio.run(whole())
    finally:
        assert bodies.held == 0


def part(content: bytes, more: bool = True) -> dict[str, Any]:
    return {"type": "http.request", "body": content, "more_body": more}


def test_bodies_are_read_within_their_limits() -> None:
    assert read(Limits(), receiving(part(b"a"), part(b"b", False))) == b"ab"
    cases: list[tuple[Limits, list[dict[str, Any]], dict[str, str], int]] = [
        (Limits(body_bytes=3), [part(b"ab"), part(b"cd", False)], {}, 413),
        (Limits(held_bytes=3), [part(b"ab"), part(b"cd", False)], {}, 503),
        (Limits(read_seconds=0.01), [part(b"ab")], {}, 408),
        (Limits(), [part(b"ab"), {"type": "http.disconnect"}], {}, 400),
        (Limits(), [], {"content-length": "-1"}, 400),
        (Limits(), [], {"content-length": "1" * 5000}, 413),
    ]
    for limits, messages, headers, status in cases:
        with pytest.raises(ApiError) as refused:
            read(limits, receiving(*messages), headers)
        assert refused.value.status == status


@pytest.mark.parametrize(
    "cookie", ["", "a=b", "simsearch-8765=", "simsearch-8765=wrong", "\x00;=;;", 'x="', "simsearch-8765"]
)
def test_strange_cookies_open_nothing(cookie: str) -> None:
    access = Access(SETTINGS)
    assert not access.has_session({"cookie": cookie})
    assert access.has_session({"cookie": f"a=b; simsearch-8765={access.session}"})
    assert not Access(replace(SETTINGS, port=1)).has_session({"cookie": f"simsearch-1={access.session}"})


def test_names_of_collections_are_told_apart(place: Path) -> None:
    with pytest.raises(UsageError, match="nothing to serve"):
        Registry([])
    with pytest.raises(UsageError, match="two collections of one name"):
        Registry([Served("a", place / "index"), Served("a", place / "other")])


def test_a_collection_whose_encoder_is_missing_is_still_listed_and_asked_by_item(place: Path, tiny: Path) -> None:
    moved = place / "encoder"
    shutil.copytree(tiny, moved)
    with Collection.create(place / "orphan", moved) as collection:
        collection.add(place / "gallery")
    shutil.rmtree(moved)
    with client_of([Served("orphan", place / "orphan")], SETTINGS) as client:
        client.headers.update(BEARER)
        (one,) = client.get(f"{API}/collections").json()["collections"]
        assert (one["items"], one["takes_words"]) == (8, False)
        assert client.post(f"{API}/search", json={"item": 1, "k": 2}).status_code == 200
        content = (place / "gallery/cats/0.png").read_bytes()
        answer = client.post(f"{API}/search", content=content, headers={"Content-Type": "image/png"})
        assert "is not there any more" in answer.json()["error"]["message"]


def test_the_page_is_kept_by_its_tag(visitor: TestClient) -> None:
    first = visitor.get("/")
    assert visitor.get("/", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert "<script>" not in first.text
    assert "style=" not in first.text


def test_a_replaced_collection_is_served_without_a_restart(place: Path, encoder: Encoder, other: Path) -> None:
    with client_of([Served("index", place / "index")], SETTINGS) as client:
        client.headers.update(BEARER)
        before = client.post(f"{API}/search", json={"item": 1, "include_vector": True}).json()["vector"]
        with Collection.open(place / "index") as collection:
            collection.reindex(other)
        after = client.post(f"{API}/search", json={"item": 1, "include_vector": True}).json()["vector"]
        assert client.get(f"{API}/collections").json()["collections"][0]["encoder"] == str(other)
    assert json.dumps(before) != json.dumps(after)
