"""Whatever is given to a public function in place of what it needs is taken or refused in words."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import simsearch
from simsearch import SimsearchError
from simsearch.collection import Collection

NAN = float("nan")
WRONG: list[object] = [
    None,
    3,
    -1,
    2.5,
    NAN,
    True,
    "x",
    "",
    b"x",
    object(),
    int,
    [],
    [None],
    [3, "x"],
    (),
    ("a", "a"),
    {},
    {"a": NAN},
    [{"a": object()}],
    io.BytesIO(b"x"),
    io.StringIO("x"),
    np.float32(2),
    np.zeros(3),
    np.zeros((2, 3), np.int64),
    np.full((4, 4, 3), 9.0),
    np.array("x"),
    np.array([None]),
    Path("missing"),
    simsearch.Text("x"),
    simsearch.Skip("a", "b"),
]
NAMES: dict[str, dict[str, Any]] = {
    "create": {"folder": "new", "encoder": None, "dim": 4},
    "open": {"folder": "here", "encoder": None},
    "open_or_create": {"folder": "here", "encoder": None, "dim": None},
    "add": {
        "sources": "gallery",
        "labels": None,
        "text_column": None,
        "id_column": None,
        "label_column": None,
        "by": None,
        "encoding": None,
        "prune": False,
        "progress": None,
    },
    "add_texts": {"uris": ["a"], "texts": ["b"], "metadata": None},
    "add_vectors": {"uris": ["a"], "vectors": np.ones((1, 4)), "metadata": None},
    "remove": {"paths": "gallery"},
    "query": {"source": "gallery/0.png", "k": 2, "min_score": None, "exclude_self": False},
    "query_many": {"sources": ["gallery/0.png"], "k": 2, "min_score": None, "exclude_self": False},
    "search": {"vectors": np.ones((1, 24)), "k": 2},
    "enroll": {"label": "Ana", "sources": ["gallery/0.png"]},
    "enroll_folders": {"folder": "gallery", "progress": None},
    "forget": {"label": "Ana"},
    "forget_example": {"file": "gallery/0.png"},
    "rename": {"label": "Ana", "new": "Ann"},
    "merge": {"label": "Ana", "target": "Ann"},
    "compare": {"first": "gallery/0.png", "second": "gallery/1.png", "threshold": 0.5},
    "calibrate": {"far": 0.1, "impostors": None, "confidence": 0.9, "unknown_prior": 0.5, "progress": None},
    "recognize": {"source": "gallery/0.png", "threshold": None},
    "recognize_many": {"sources": ["gallery/0.png"], "threshold": None, "distinct": False},
    "reindex": {"encoder": None, "dry_run": False, "progress": None},
    "roll_back": {"encoder": None, "progress": None},
    "export": {"path": "out.jsonl", "where": None, "force": False, "progress": None},
    "import_vectors": {"path": "out.jsonl", "progress": None},
    "backup": {"folder": "backup", "force": False},
    "check": {"repair": False},
    "__contains__": {"item": "x"},
}
FUNCTIONS: dict[str, dict[str, Any]] = {
    "open_encoder": {"name": "glyph"},
    "convert": {"source": "missing.onnx", "out": "made", "bits": 16, "onnx": None, "overwrite": False},
    "evaluate": {
        "encoder": "glyph",
        "source": "gallery",
        "protocols": (),
        "options": None,
        "selection": None,
        "reading": None,
        "threshold": None,
        "threshold_from": None,
        "with_baselines": False,
        "progress": None,
    },
    "train": {
        "source": "gallery",
        "out": "made",
        "recipe": None,
        "start": None,
        "freeze": None,
        "loss": None,
        "epochs": None,
        "steps": None,
        "minutes": None,
        "learning_rate": None,
        "split": None,
        "test": (),
        "everything": False,
        "seed": None,
        "changes": None,
        "reading": None,
        "half": False,
        "report": True,
        "restart": False,
        "overwrite": False,
        "progress": None,
    },
    "sheet": {"results": [], "tile": 160},
    "sheets": {"results": [], "tile": 160},
    "to_records": {"results": []},
}
SETTINGS = ("Changes", "EvaluationOptions", "OnnxOptions", "Reading", "Selection")


def tried(function: Callable[..., object], arguments: dict[str, Any]) -> list[str]:
    """Calls it with each argument in turn replaced by each wrong value; returns what ended without words."""
    failures = []
    for name in arguments:
        for value in WRONG:
            if hasattr(value, "seek"):
                value.seek(0)
            try:
                function(**{**arguments, name: value})
            except SimsearchError as error:
                if not str(error):
                    failures.append(f"{name}={value!r}: {error}")
            except Exception as error:  # noqa: BLE001
                failures.append(f"{name}={value!r}: {type(error).__name__}: {error}")
    return failures


@pytest.fixture
def place(tmp_path: Path, gallery: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The gallery beside a collection of it, `here`, in the current folder."""
    monkeypatch.chdir(tmp_path)
    with Collection.create("here", tiny) as made:
        made.add(gallery)
        made.enroll("Ana", [gallery / "0.png"])
    return tmp_path


@pytest.mark.parametrize("name", ["create", "open", "open_or_create"])
def test_collections_are_made_and_opened(place, name) -> None:
    def call(**arguments: Any) -> None:
        getattr(Collection, name)(**arguments).close()

    assert tried(call, NAMES[name]) == []


OF_KIND = {
    "images": [name for name in NAMES if name not in ("create", "open", "open_or_create")],
    "texts": ["add", "add_texts", "query", "query_many", "enroll", "recognize_many", "reindex"],
    "vectors": ["add_vectors", "query", "query_many", "search", "reindex", "enroll", "recognize_many"],
}
"""The methods that are tried with each kind of collection."""


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, names in OF_KIND.items() for name in names])
def test_every_method_of_a_collection(place, tiny_text, kind, name) -> None:
    (place / "a.txt").write_text("a text")
    if kind == "texts":
        with Collection.create("texts", tiny_text) as texts:
            texts.add("a.txt")
    if kind == "vectors":
        with Collection.create("vectors", dim=3) as own:
            own.add_vectors(["x"], np.eye(3)[:1])
    with Collection.open("here" if kind == "images" else kind) as opened:
        assert tried(getattr(opened, name), NAMES[name]) == []
        assert opened.check().clean


def test_encoders(tiny, tiny_text) -> None:
    for folder in (tiny, tiny_text):
        encoder = simsearch.open_encoder(folder)
        assert tried(encoder.encode, {"sources": []}) == []
        assert tried(encoder.prepare, {"source": "x"}) == []
    assert tried(simsearch.open_encoder("photo").encode_texts, {"texts": ["cat"]}) == []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function(place, name) -> None:
    assert tried(getattr(simsearch, name), FUNCTIONS[name]) == []


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting(place, name) -> None:
    made = getattr(simsearch, name)
    uses = {
        "Changes": lambda changes: simsearch.train("missing", "made", changes=changes),
        "EvaluationOptions": lambda options: simsearch.evaluate("glyph", "missing", options=options),
        "OnnxOptions": lambda onnx: simsearch.convert("missing.onnx", "made", onnx=onnx),
        "Reading": lambda reading: reading.read(Path("gallery")),
        "Selection": lambda selection: simsearch.evaluate("glyph", "missing", selection=selection),
    }

    def call(**arguments: Any) -> None:
        uses[name](made(**arguments))

    assert tried(call, dict.fromkeys(made.__dataclass_fields__)) == []
