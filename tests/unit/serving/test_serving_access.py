"""Who may call: names of hosts and origins, tokens, the session of the page, and what read-only refuses."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from serving_client import API, BEARER, TOKEN, Connect

if TYPE_CHECKING:
    from starlette.testclient import TestClient

CHANGES = (
    ("POST", "/identities/Ana/examples"),
    ("POST", "/identities/Ana/rename"),
    ("POST", "/identities/Ana/merge"),
    ("DELETE", "/identities/Ana"),
    ("DELETE", "/identities/Ana/examples/1"),
    ("POST", "/calibrate"),
    ("POST", "/duplicates/find"),
    ("POST", "/duplicates/plan"),
    ("POST", "/duplicates/apply"),
    ("POST", "/duplicates/undo"),
    ("POST", "/jobs"),
    ("DELETE", "/jobs/1"),
)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:8765", "", "[::1", "8.8.8.8"]
)
def test_other_names_of_this_machine_are_refused(visitor: TestClient, host: str) -> None:
    """As a page does that has let its own name lead here (DNS rebinding)."""
    assert code(visitor.get(f"{API}/items", headers={"Host": host})) == (403, "host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8765", "127.0.0.1", "127.8.8.8:1", "[::1]:8765"])
def test_its_own_names_are_not(visitor: TestClient, host: str) -> None:
    assert visitor.get(f"{API}/items", headers={"Host": host}).status_code == 200


def test_names_can_be_added(connect: Connect) -> None:
    client = connect(allowed_hosts=("photos.example.org",))
    assert client.get(f"{API}/items", headers={"Host": "photos.example.org"}).status_code == 200
    assert client.get(f"{API}/items", headers={"Host": "example.org"}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"},
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_pages_of_other_sites_are_refused(visitor: TestClient, headers: Mapping[str, str], method: str) -> None:
    """Also those that ask with a right token, and queries, which change nothing."""
    assert code(visitor.request(method, f"{API}/search", headers=headers)) == (403, "origin")


def test_links_of_other_sites_lead_to_the_page(visitor: TestClient) -> None:
    visit = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert visitor.get("/", headers=visit).status_code == 200


def test_refused_before_the_body_is_looked_at(visitor: TestClient) -> None:
    huge = {"Content-Length": str(10**12), "Content-Type": "application/json"}
    assert code(visitor.post(f"{API}/search", headers=huge | {"Host": "evil.example"})) == (403, "host")
    assert code(visitor.post(f"{API}/search", headers=huge)) == (413, "too_large")


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_changes_need_the_token(visitor: TestClient, method: str, path: str) -> None:
    visitor.cookies.clear()
    for headers in (
        {"Authorization": "Bearer wrong"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer "},
        {"Authorization": ""},
    ):
        assert code(visitor.request(method, API + path, headers=headers)) == (401, "token")
    assert visitor.get(f"{API}/items").status_code == 200
    assert visitor.post(f"{API}/search", json={"item": 1}).status_code == 200


def test_every_route_that_changes_is_in_the_list(visitor: TestClient) -> None:
    paths = visitor.get("/openapi.json").json()["paths"]
    routes = {(method.upper(), path) for path, operations in paths.items() for method in operations}
    asking = {("POST", f"{API}/{name}") for name in ("search", "recognize", "compare")}
    changing = {(method, path) for method, path in routes if method not in ("GET", "HEAD")} - asking
    assert len(changing) == len(CHANGES)


@pytest.mark.parametrize(("method", "path"), CHANGES)
def test_read_only_refuses_every_change(reader: TestClient, method: str, path: str) -> None:
    assert code(reader.request(method, API + path)) == (403, "read_only")
    assert reader.post(f"{API}/search", json={"item": 1}).status_code == 200


def test_read_only_writes_nothing_into_the_folder(connect: Connect, place: Path) -> None:
    before = sorted(path.name for path in (place / "index").iterdir())
    client = connect(read_only=True)
    job = client.get(f"{API}/map").json()
    client.app.state.context.jobs.wait(job["id"])  # type: ignore[attr-defined]
    assert len(client.get(f"{API}/map").json()["ids"]) == 8
    assert [path.name for path in sorted((place / "index").iterdir()) if "sqlite-" not in path.name] == before


def test_the_page_changes_with_its_cookie_and_header(connect: Connect) -> None:
    client = connect(token=False)
    target, body = f"{API}/identities/Ana/examples", {"items": [1]}
    assert client.get(f"{API}/session").json()["csrf"] is None
    cookie = client.get("/").headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    csrf = client.get(f"{API}/session").json()["csrf"]
    assert code(client.post(target, json=body)) == (403, "csrf")
    assert code(client.post(target, json=body, headers={"X-Simsearch-CSRF": "0" * 64})) == (403, "csrf")
    assert client.post(target, json=body, headers={"X-Simsearch-CSRF": csrf}).status_code == 200
    client.cookies.clear()
    assert code(client.post(target, json=body, headers={"X-Simsearch-CSRF": csrf})) == (401, "token")


def test_where_all_need_the_token_nothing_is_seen_without(connect: Connect) -> None:
    client = connect(token=False, guarded=True)
    for path in (f"{API}/items", f"{API}/collections", "/openapi.json", "/metrics", f"{API}/items/1/thumbnail"):
        assert code(client.get(path)) == (401, "token")
    assert code(client.post(f"{API}/search", json={"item": 1})) == (401, "token")
    assert client.get(f"{API}/health").status_code == 200
    assert code(client.get("/")) == (401, "token")
    assert code(client.get("/", params={"token": "wrong"})) == (401, "token")
    assert client.get(f"{API}/items", headers=BEARER).status_code == 200
    opened = client.get("/", params={"token": TOKEN}, follow_redirects=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    assert client.get("/").status_code == 200
    assert client.get(f"{API}/items").status_code == 200


def test_folders_come_from_the_command_line_only(connect: Connect, place: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (place / "gallery/out").symlink_to(other)
    client = connect()
    for folder in (str(other), "/etc", str(place / "gallery/../other"), str(place / "gallery/out"), "\0", "nowhere"):
        assert code(client.post(f"{API}/jobs", json={"kind": "index", "folder": folder})) == (403, "folder")
        asked = {"far": 0.5, "impostors": folder}
        assert code(client.post(f"{API}/calibrate", json=asked)) == (403, "folder")
    assert client.post(f"{API}/jobs", json={"kind": "index", "folder": str(place / "gallery/cats")}).status_code == 202
    allowed = connect(allowed_folders=(other,))
    assert allowed.post(f"{API}/jobs", json={"kind": "index", "folder": str(other)}).status_code == 202
