"""Hostile requests and hostile files: bombs, oversized and broken uploads, links that lead elsewhere, strange names."""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image
from serving_client import API, Connect

from simsearch import Collection
from simsearch.serving.settings import Limits

if TYPE_CHECKING:
    from starlette.testclient import TestClient

    from simsearch.types import Encoder

SEARCH = f"{API}/search"
PNG = {"Content-Type": "image/png"}
NAMES = (
    "<img src=x onerror=alert(1)>.png",
    "a\"b'c&d.png",
    "x..%2f..%2fetc%2fpasswd.png",
    "\u202egnp.exe.png",
    "नमस्ते 漢字 \U0001f600.png",
    "line\nfeed\r.png",
    os.fsdecode(b"latin-\xe9.png"),
    "a" * 240 + ".png",
)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def bomb(side: int) -> bytes:
    """A PNG whose header promises side x side pixels, from a few bytes."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", (400, "unreadable")),
        (b"not a picture", (400, "unreadable")),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", (400, "unreadable")),
        (bomb(9_000), (413, "too_large")),
        (bomb(60_000), (400, "unreadable")),
        (bomb(100)[:-40], (400, "unreadable")),
        (b"\xff\xd8\xff" + bytes(100), (400, "unreadable")),
    ],
)
def test_what_is_no_picture_is_refused(visitor: TestClient, content: bytes, expected: tuple[int, str]) -> None:
    assert code(visitor.post(SEARCH, content=content, headers=PNG)) == expected
    assert code(visitor.post(SEARCH, files={"file": ("a.png", content)})) == expected


def test_compressed_bodies_are_refused(visitor: TestClient) -> None:
    headers = PNG | {"Content-Encoding": "gzip"}
    assert code(visitor.post(SEARCH, content=gzip.compress(bytes(10**6)), headers=headers)) == (415, "encoding")


def test_limits_hold_with_and_without_a_length(connect: Connect) -> None:
    client = connect(limits=Limits(body_bytes=1000, held_bytes=1000, files=2))
    assert code(client.post(SEARCH, content=bytes(1001), headers=PNG)) == (413, "too_large")
    chunked = client.post(SEARCH, content=(bytes(100) for _ in range(11)), headers=PNG)
    assert code(chunked) == (413, "too_large")
    many = [("files", (f"{n}.png", b"a")) for n in range(3)]
    assert code(client.post(f"{API}/compare", files=many)) == (400, "form")
    assert client.app.state.context is not None  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", b"{"),
        ("application/json", b"[1]"),
        ("application/json", b'{"item": "1"}'),
        ("application/json", b'{"item": 1, "path": "/etc/passwd"}'),
        ("application/json", b'{"item": 1, "k": 0}'),
        ("application/json", b'{"item": 1, "k": 1e9}'),
        ("application/json", b'{"item": 1, "threshold": NaN}'),
        ("application/json", b'{"item": 1, "text": "a"}'),
        ("application/json", b"{}"),
        ("application/json", b'{"text": "\\ud800"}'),
        ("application/json", b'{"vector": []}'),
        ("application/json", b'{"item": 99999999999999999999}'),
        ("application/json", b"[" * 100_000),
        ("multipart/form-data; boundary=x", b"--x\r\nnonsense"),
        ("multipart/form-data", b"no boundary"),
        ("application/x-www-form-urlencoded", b"item=1"),
        ("", b"item=1"),
    ],
)
def test_bodies_that_do_not_parse(visitor: TestClient, kind: str, body: bytes) -> None:
    answer = visitor.post(SEARCH, content=body, headers={"Content-Type": kind})
    assert answer.status_code in (400, 415, 422), answer.text
    assert set(answer.json()["error"]) >= {"code", "message"}


def test_vectors_are_checked(visitor: TestClient) -> None:
    for vector in ([1.0], [0.0] * 24):
        assert code(visitor.post(SEARCH, json={"vector": vector})) == (400, "vector")


def test_a_text_is_never_a_path(client: TestClient, place: Path) -> None:
    path = str(place / "gallery/cats/0.png")
    assert code(client.post(SEARCH, json={"text": path})) == (400, "usage")
    assert code(client.post(SEARCH, content=path, headers={"Content-Type": "text/plain"})) == (400, "usage")
    assert code(client.post(f"{API}/identities/Ana/examples", json={"texts": [path]})) == (400, "usage")
    assert client.get(f"{API}/identities").json() == {"identities": []}


@pytest.mark.parametrize(
    "path",
    [
        "/page/../app.py",
        "/page/..%2fapp.py",
        "/page/%2e%2e/settings.py",
        "/page//etc/passwd",
        "/page/",
        "/page/index.html%00.js",
        f"{API}/items/../../etc/passwd",
        f"{API}/items/-1/file",
        f"{API}/items/1e3/file",
        f"{API}/jobs/..%2f..%2fmanifest",
        f"{API}/duplicates?plan=..%2f..%2fmanifest",
        f"{API}/duplicates?plan=0000",
        f"{API}/items?collection=..",
        f"{API}/nothing",
    ],
)
def test_no_path_leads_out(visitor: TestClient, path: str) -> None:
    answer = visitor.get(path)
    assert answer.status_code in (404, 405, 422), answer.text
    assert set(answer.json()["error"]) >= {"code", "message"}


def test_links_put_in_place_later_are_not_followed(client: TestClient, place: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret.png"
    Image.new("RGB", (50, 50), "red").save(secret)
    victim = place / "gallery/cats/0.png"
    victim.unlink()
    victim.symlink_to(secret)
    for call in ("thumbnail", "file"):
        assert client.get(f"{API}/items/1/{call}").status_code == 404
    victim.unlink()
    victim.symlink_to(place / "gallery/cats/1.png")
    assert client.get(f"{API}/items/1/file").content == (place / "gallery/cats/1.png").read_bytes()
    victim.unlink()
    os.mkfifo(victim)
    assert client.get(f"{API}/items/1/file").status_code == 404
    victim.unlink()
    victim.write_text("<script>alert(1)</script>")
    assert client.get(f"{API}/items/1/file").status_code == 404
    assert client.get(f"{API}/items/1/thumbnail").status_code == 404


@pytest.mark.skipif(os.name != "posix", reason="names of POSIX")
def test_strange_names_come_through_as_they_are(
    connect: Connect, place: Path, tiny: Path, draw: Callable[..., Path]
) -> None:
    folder = place / "strange"
    for seed, name in enumerate(NAMES):
        draw(folder / "x.png", seed).rename(folder / name)
    with Collection.create(place / "strange-index", tiny) as collection:
        collection.add(folder, labels="folder")
    client = connect("strange-index", token=True)
    answer = client.get(f"{API}/items")
    assert answer.headers["content-type"] == "application/json"
    assert {Path(item["path"]).name for item in answer.json()["items"]} == set(NAMES)
    for item in answer.json()["items"]:
        assert client.get(item["thumbnail"]).status_code == 200


@pytest.mark.parametrize("label", ["<script>alert(1)</script>", "a/b", "नाम 名前", " ", "a\nb", "x" * 1000])
def test_strange_labels_are_enrolled_shown_and_forgotten(client: TestClient, label: str) -> None:
    from urllib.parse import quote

    target = f"{API}/identities/{quote(label, safe='')}"
    made = client.post(f"{target}/examples", json={"items": [1]})
    if not label.isprintable() or not label.strip():
        assert made.status_code in (400, 404)
        return
    assert made.json()["label"] == label, made.text
    assert client.get(target).json()["label"] == label
    assert [one["label"] for one in client.get(f"{API}/identities").json()["identities"]] == [label]
    assert client.delete(target).json()["removed"] == 1


def test_an_animation_is_its_first_frame(visitor: TestClient) -> None:
    stream = BytesIO()
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "green", "blue")]
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    answer = visitor.post(SEARCH, content=stream.getvalue(), headers={"Content-Type": "image/gif"})
    assert answer.status_code == 200


def test_a_bad_query_does_not_spoil_those_beside_it(encoder: Encoder, place: Path) -> None:
    from simsearch.serving.api.search import Search
    from simsearch.serving.batching import each_answer

    content = (place / "gallery/cats/0.png").read_bytes()
    with Collection.open(place / "index", encoder) as collection:
        found = each_answer(collection, Search(1), [content, b"bad", content, b"", content])
    assert [isinstance(one, Exception) for one in found] == [False, True, False, True, False]
    assert found[0].matches[0].item.id == found[4].matches[0].item.id == 1
