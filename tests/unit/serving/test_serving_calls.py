"""Every call of the API, over a collection in this process."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image
from serving_client import API

from simsearch import Collection
from simsearch.cli import output
from simsearch.mixes import Mix
from simsearch.records import calibration_report_record, recognition_record

if TYPE_CHECKING:
    from starlette.testclient import TestClient

Finished = Callable[[Any], dict[str, Any]]


def upload(place: Path, name: str = "cats/0.png") -> bytes:
    return (place / "gallery" / name).read_bytes()


def found(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [match["id"] for match in answer.json()["matches"]]


def test_each_form_of_a_query_finds_the_same(client: TestClient, place: Path) -> None:
    search, content = f"{API}/search", upload(place)
    with Collection.open(place / "index") as collection:
        expected = [match.item.id for match in collection.query(content, k=3)]
        vector = collection.encoder.encode([content])[0].tolist()
    bare = client.post(search, params={"k": 3}, content=content, headers={"Content-Type": "image/png"})
    assert found(bare) == expected
    assert found(client.post(search, files={"file": ("a.png", content)}, data={"k": "3"})) == expected
    assert found(client.post(search, json={"vector": vector, "k": 3})) == expected
    assert found(client.post(search, json={"item": expected[0], "k": 3})) == expected
    itself = client.post(search, json={"item": expected[0], "k": 3, "exclude_self": True})
    assert expected[0] not in found(itself)
    assert found(client.post(search, json={"item": expected[0], "threshold": 0.999})) == expected[:1]


def test_pages_of_a_search_are_the_whole(client: TestClient, place: Path) -> None:
    search, content = f"{API}/search", upload(place)
    first = client.post(
        search, params={"k": 3, "include_vector": True}, content=content, headers={"Content-Type": "image/png"}
    )
    query = {"vector": first.json()["vector"], "k": 3}
    answers = [client.post(search, json=query).json()]
    assert [match["id"] for match in answers[0]["matches"]] == found(first)
    while answers[-1]["cursor"]:
        answers.append(client.post(search, json=query | {"cursor": answers[-1]["cursor"]}).json())
    ids = [match["id"] for answer in answers for match in answer["matches"]]
    assert ids == found(client.post(search, json=query | {"k": 8}))
    assert [match["rank"] for answer in answers for match in answer["matches"]] == list(range(1, 9))


def test_queries_are_filtered_mixed_and_paged_as_by_the_collection(client: TestClient, place: Path) -> None:
    search = f"{API}/search"
    with Collection.open(place / "index") as collection:
        items = {item.id: item for item in collection.items()}
        like = collection.query(Mix.of_examples([items[6]], [items[7]], items[1]), k=5)
        alone = collection.query(Mix.of_examples([items[6], items[8]]), k=5, exclude_self=True)
        dogs = collection.query(items[1], k=3, where="label = 'dogs'")
        diverse = collection.query(items[1], k=4, diverse=0.7)
        vector = collection.encoder.encode([upload(place)])[0]
    mixed = client.post(search, json={"item": 1, "like": [6], "unlike": [7], "k": 5})
    assert found(mixed) == [match.item.id for match in like]
    assert mixed.json()["score_kind"] == "mix"
    asked = {"like": [6, 8], "k": 5, "exclude_self": True}
    assert found(client.post(search, json=asked)) == [match.item.id for match in alone]
    assert found(client.post(search, json={"item": 1, "k": 3, "where": "label = 'dogs'"})) == [m.item.id for m in dogs]
    assert found(client.post(search, json={"item": 1, "k": 4, "diverse": 0.7})) == [m.item.id for m in diverse]
    sent = client.post(search, files={"file": ("a.png", upload(place))}, data={"include_vector": "true", "like": "2"})
    assert np.linalg.norm(sent.json()["vector"]) == pytest.approx(1)
    bare = client.post(search, files={"file": ("a.png", upload(place))}, data={"include_vector": "true"}).json()
    assert bare["vector"] == pytest.approx(vector.tolist(), abs=1e-6)
    for body in ({"unlike": [1]}, {"item": 1, "like": [99]}, {"item": 1, "where": "label ="}, {"like": [1], "k": 0}):
        assert client.post(search, json=body).status_code in (400, 404, 422)
    pages, cursor = [], None
    while True:
        answer = client.post(search, json={"item": 1, "k": 3} | ({"cursor": cursor} if cursor else {})).json()
        pages += [(match["rank"], match["id"]) for match in answer["matches"]]
        cursor = answer["cursor"]
        if cursor is None:
            break
    whole = client.post(search, json={"item": 1, "k": 8}).json()["matches"]
    assert pages == [(match["rank"], match["id"]) for match in whole]


def test_a_search_is_filtered_and_led_by_examples(client: TestClient, place: Path) -> None:
    search = f"{API}/search"
    assert set(found(client.post(search, json={"item": 1, "where": "label = 'dogs'"}))) == {5, 6, 7, 8}
    with Collection.open(place / "index") as collection:
        one, two, three = collection.items_with([1, 2, 3])
        expected = [match.item.id for match in collection.query(Mix.of_examples([two], [three], one))]
    assert found(client.post(search, json={"item": 1, "like": [2], "unlike": [3]})) == expected
    unread = client.post(search, json={"item": 1, "where": "lable = 'dogs'"})
    assert (unread.status_code, "did you mean label" in unread.json()["error"]["message"]) == (400, True)
    gone = client.post(search, json={"item": 1, "like": [99]})
    assert (gone.status_code, "no item 99" in gone.json()["error"]["message"]) == (404, True)


def test_a_match_has_the_names_of_the_command(client: TestClient, place: Path) -> None:
    answer = client.post(f"{API}/search", json={"item": 1, "k": 1}).json()
    (match,) = answer["matches"]
    assert answer["query"] == "item 1"
    assert (match["rank"], match["score"], match["score_kind"], match["label"]) == (1, 1.0, "images", "cats")
    assert match["path"] == str(place / "gallery/cats/0.png")
    assert match["thumbnail"] == f"{API}/items/1/thumbnail?collection=index"


def test_items_come_page_by_page(client: TestClient) -> None:
    pages, cursor = [], None
    while True:
        answer = client.get(f"{API}/items", params={"limit": 3} | ({"cursor": cursor} if cursor else {})).json()
        pages.append([item["id"] for item in answer["items"]])
        cursor = answer["cursor"]
        if cursor is None:
            break
    assert pages == [[1, 2, 3], [4, 5, 6], [7, 8]]
    assert client.get(f"{API}/items/3").json()["id"] == 3
    missing = client.get(f"{API}/items/99")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "no_item")
    facets = client.get(f"{API}/facets").json()
    assert facets["labels"] == [{"label": "cats", "items": 4}, {"label": "dogs", "items": 4}]
    assert [folder["items"] for folder in facets["folders"]] == [4, 4]
    dogs = client.get(f"{API}/items", params={"where": "label = 'dogs'"}).json()
    assert [item["id"] for item in dogs["items"]] == [5, 6, 7, 8]
    unread = client.get(f"{API}/items", params={"where": "label ="})
    assert (unread.status_code, unread.json()["error"]["field"]) == (400, "where")


def test_thumbnails_and_files(client: TestClient, place: Path) -> None:
    first = client.get(f"{API}/items/1/thumbnail", params={"size": 64})
    assert first.headers["content-type"] == "image/jpeg"
    assert max(Image.open(BytesIO(first.content)).size) == 64
    tag = first.headers["etag"]
    again = client.get(f"{API}/items/1/thumbnail", params={"size": 64}, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get(f"{API}/items/2/thumbnail", params={"size": 64}).headers["etag"] != tag
    whole = client.get(f"{API}/items/1/file")
    assert whole.content == upload(place)
    assert (whole.headers["content-type"], whole.headers["content-disposition"]) == ("image/png", "inline")


def test_identities_are_enrolled_recognized_and_forgotten(client: TestClient, place: Path) -> None:
    identities = f"{API}/identities"
    assert client.post(f"{API}/recognize", json={"items": [1]}).json()["error"]["code"] == "nobody"
    made = client.post(f"{identities}/Ana/examples", json={"items": [1, 2]}).json()
    assert (made["label"], made["added"], made["examples"]) == ("Ana", 2, 2)
    sent = client.post(f"{identities}/Béla%2Fx/examples", files={"file": ("b.png", upload(place, "dogs/5.png"))})
    assert sent.json()["added"] == 1
    listed = client.get(identities).json()["identities"]
    assert [(one["label"], len(one["examples"])) for one in listed] == [("Ana", 2), ("Béla/x", 1)]
    assert client.get(f"{identities}/Ana/examples/1/thumbnail").headers["content-type"] == "image/jpeg"
    assert client.get(f"{identities}/Béla%2Fx/examples/3/thumbnail").status_code == 404
    answers = client.post(f"{API}/recognize", json={"items": [1, 6, 99], "include_vectors": True}).json()["answers"]
    assert [answer.get("label") for answer in answers] == ["Ana", "Béla/x", None]
    assert np.linalg.norm(answers[0]["vector"]) == pytest.approx(1)
    assert answers[2] == {"query": "item 99", "error": "there is no item 99 (any more)"}
    assert client.post(f"{identities}/Béla%2Fx/rename", json={"new": "Bela"}).json()["examples"] == 1
    assert client.post(f"{identities}/Bela/merge", json={"target": "Ana"}).json()["examples"] == 3
    assert client.delete(f"{identities}/Ana/examples/1").json()["removed"] == 1
    assert client.get(f"{identities}/Ana").json()["examples"][0]["id"] == 2
    assert client.delete(f"{identities}/Ana").json()["removed"] == 2
    assert client.delete(f"{identities}/Ana").status_code == 404


def test_comparing_two(client: TestClient, place: Path) -> None:
    same = client.post(f"{API}/compare", json={"items": [1, 1], "threshold": 0.9}).json()
    assert (same["same"], same["score"], same["threshold"]) == (True, 1.0, 0.9)
    files = [("files", ("a.png", upload(place))), ("files", ("b.png", upload(place, "dogs/5.png")))]
    assert client.post(f"{API}/compare", files=files, data={"threshold": "0.9"}).json()["same"] is False
    assert client.post(f"{API}/compare", json={"items": [1]}).status_code == 422


def test_calibrating_is_a_job_and_shows_its_curve(client: TestClient, place: Path, finished: Finished) -> None:
    for label, items in (("Ana", [1, 2]), ("Bela", [3, 4])):
        client.post(f"{API}/identities/{label}/examples", json={"items": items})
    asked = {"far": 0.6, "impostors": str(place / "gallery/dogs")}
    job = finished(client.post(f"{API}/calibrate", json=asked))
    assert (job["state"], job["result"]["impostors"], job["result"]["guaranteed"]) == ("done", 4, True), job
    answer = client.get(f"{API}/calibration").json()
    assert answer["calibration"]["far"] == 0.6
    assert (answer["stale"], answer["curve"]["known"]) == (None, 4)


def test_duplicates_are_found_decided_on_removed_and_put_back(
    client: TestClient, place: Path, finished: Finished
) -> None:
    copy = place / "gallery/cats/copy.png"
    copy.write_bytes(upload(place))
    finished(client.post(f"{API}/jobs", json={"kind": "index"}))
    made = finished(client.post(f"{API}/duplicates/find", json={}))["result"]
    assert (made["groups"], made["files"]) == (1, 1)
    listed = client.get(f"{API}/duplicates").json()
    kept, other = listed["groups"][0]["files"]
    assert (kept["action"], other["action"], other["kind"]) == ("keep", "remove", "exact")
    choices = [{"group": listed["groups"][0]["group"], "file": other["file"], "action": "keep"}]
    edited = client.post(f"{API}/duplicates/plan", json={"plan": listed["plan"], "choices": choices}).json()
    (group,) = client.get(f"{API}/duplicates", params={"plan": edited["plan"]}).json()["groups"]
    assert [file["path"] for file in group["files"]] == [other["path"], kept["path"]]
    applied = finished(client.post(f"{API}/duplicates/apply", json={"plan": edited["plan"]}))
    assert (applied["state"], applied["result"]["removed"]) == ("done", 1), applied
    assert not Path(kept["path"]).exists()
    undone = finished(client.post(f"{API}/duplicates/undo"))
    assert (undone["state"], undone["result"]["restored"]) == ("done", 1), undone
    assert Path(kept["path"]).exists()


def test_the_map_is_drawn_by_a_job(client: TestClient, finished: Finished) -> None:
    finished(client.get(f"{API}/map"))
    drawn = client.get(f"{API}/map").json()
    assert drawn["ids"] == list(range(1, 9))
    assert drawn["labels"] == ["cats", "dogs"]
    assert drawn["label"] == [0] * 4 + [1] * 4
    packed = client.get(f"{API}/map", params={"format": "binary"}).content
    assert (packed[:4], struct.unpack("<I", packed[4:8])) == (b"SSM1", (8,))
    assert json.loads(packed[8 + 8 * 24 :]) == ["cats", "dogs"]
    points = np.frombuffer(packed, "<f4", 16, 8 + 64).reshape(8, 2)
    assert points[:, 0] == pytest.approx(drawn["x"], abs=1e-4)


def test_what_the_server_says_of_itself(client: TestClient) -> None:
    assert client.get(f"{API}/health").json()["status"] == "ok"
    (one,) = client.get(f"{API}/collections").json()["collections"]
    assert (one["name"], one["items"], one["modality"], one["takes_words"]) == ("index", 8, "image", False)
    client.post(f"{API}/search", json={"item": 1})
    text = client.get("/metrics").text
    assert 'simsearch_items{collection="index"} 8.0' in text
    assert 'route="/search"' in text
    page = client.get("/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "/api/v1/search" in client.get("/openapi.json").json()["paths"]


def test_records_have_the_names_of_the_commands(client: TestClient, place: Path) -> None:
    """What the commands print with --json is in the answers under the same names, with the same values."""
    with Collection.open(place / "index") as collection:
        collection.enroll("Ana", [place / "gallery/cats/0.png", place / "gallery/cats/1.png"])
        collection.enroll("Bela", [place / "gallery/cats/3.png"])
        match = collection.query(upload(place), k=1)[0]
        printed = output.match_record("upload", match, "images")
        recognized = recognition_record("upload", collection.recognize(upload(place)))
        calibrated = calibration_report_record(collection.calibrate(0.6, impostors=place / "gallery/dogs"))
        stored = output.item_record(match.item)
    headers = {"Content-Type": "image/png"}
    answer = client.post(f"{API}/search", content=upload(place), headers=headers).json()
    assert printed.items() <= ({"query": answer["query"]} | answer["matches"][0]).items()
    item = client.get(f"{API}/items/{match.item.id}").json()
    assert {**stored, "mtime_ns": 0}.items() <= {**item, "mtime_ns": 0}.items()
    (person,) = client.post(f"{API}/recognize", content=upload(place), headers=headers).json()["answers"]
    assert person.keys() == recognized.keys()
    assert (person["label"], person["score"], person["evidence"]) == tuple(
        recognized[name] for name in ("label", "score", "evidence")
    )
    shown = client.get(f"{API}/calibration").json()["calibration"]
    assert {name: calibrated[name] for name in shown} == shown
