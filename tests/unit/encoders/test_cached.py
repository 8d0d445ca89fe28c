"""Models that are asked for by name: converted once, then opened without their libraries; killed in between or not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch import Collection
from simsearch.encoders import cached, open_encoder
from simsearch.encoders.cached import cache_home, cached_folder, converted_folder
from simsearch.encoders.converting import models
from simsearch.errors import EncoderError

WITHOUT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers", "sentence_transformers", "onnx", "onnxscript",
                                      "huggingface_hub", "safetensors", "accelerate"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
"""


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache in which nothing is yet."""
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path / "own"))
    return tmp_path / "own"


def test_what_was_converted_is_used_without_any_library(hub_models: dict[str, Path], tmp_path: Path) -> None:
    folder, pics = hub_models["clip"], tmp_path / "pics"
    pics.mkdir()
    for name, color in (("red", (220, 20, 20)), ("blue", (20, 30, 220))):
        Image.new("RGB", (40, 40), color).save(pics / f"{name}.png")
    expected = open_encoder(folder).encode_texts(["a red square"])  # type: ignore[union-attr]
    code = f"""{WITHOUT}
import json
from simsearch import Collection, open_encoder
encoder = open_encoder({str(folder)!r})
with Collection.create("col", {str(folder)!r}) as made:
    made.add("pics")
with Collection.open("col") as opened:
    found = [match.item.uri for match in opened.query("a red square")]
heavy = [name for name in ("torch", "onnx", "transformers") if name in sys.modules]
print(json.dumps([encoder.encode_texts(["a red square"]).tolist(), found, heavy]))
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    vectors, found, heavy = json.loads(done.stdout)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    assert sorted(Path(uri).name for uri in found) == ["blue.png", "red.png"] and heavy == []


def test_what_was_not_converted_yet_asks_for_the_extra(
    hub_models: dict[str, Path], own_cache: Path, tmp_path: Path
) -> None:
    code = f"{WITHOUT}\nfrom simsearch.cli import main\nmain()"
    done = subprocess.run(
        [sys.executable, "-c", code, "index", "pics", "--encoder", str(hub_models["clip"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2 and "pics does not exist" in done.stderr
    (tmp_path / "pics").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code, "index", "pics", "--encoder", str(hub_models["clip"])],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and done.stderr.endswith('pip install "simsearch[pretrained]"\n')
    assert not own_cache.exists()


def test_one_conversion_serves_copies_and_names(
    hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simsearch.encoders import pretrained_hub

    first = converted_folder(str(hub_models["clip"]))
    copy = shutil.copytree(hub_models["clip"], tmp_path / "copy")
    monkeypatch.setattr(models, "convert_pretrained", lambda *_: pytest.fail("converted again"))
    assert cached_folder(str(copy)) == converted_folder(str(copy)) == first
    monkeypatch.setattr(pretrained_hub, "hub_folder", lambda name: copy)
    assert cached_folder("someone/clip-of-cache") is None
    assert converted_folder("someone/clip-of-cache") == first
    monkeypatch.setattr(pretrained_hub, "hub_folder", lambda name: pytest.fail("asked for again"))
    assert open_encoder("someone/clip-of-cache").name == "someone/clip-of-cache"


def test_a_folder_that_is_gone_is_still_known(
    hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(hub_models["clip"], tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    with Collection.create("col", "copy") as made:
        assert made.encoder.name == str(copy)
        fingerprint = made.encoder.fingerprint
    # That of a copy of what was converted before was only looked up; its own name is noted all the same.
    shutil.rmtree(copy)
    with Collection.open("col") as opened:
        assert opened.encoder.fingerprint == fingerprint


def test_a_killed_conversion_leaves_nothing_half_written(
    hub_models: dict[str, Path], own_cache: Path, tmp_path: Path
) -> None:
    code = """
import os, sys
from simsearch.encoders import open_encoder
from simsearch.encoders.converting import pictures
real = pictures.write_atomically
def dying(path, content):
    real(path, content)
    os._exit(9)
pictures.write_atomically = dying
open_encoder(sys.argv[1])
"""
    command = [sys.executable, "-c", code, str(hub_models["vit"])]
    done = subprocess.run(command, capture_output=True, timeout=120)
    assert done.returncode == 9
    left = [path.name for path in (own_cache / "converted").iterdir()]
    assert any(name.endswith(".converting") for name in left)
    assert cached_folder(str(hub_models["vit"])) is None
    encoder = open_encoder(hub_models["vit"])
    assert encoder.dim == 32
    assert sorted(path.name for path in (own_cache / "converted").iterdir()) == sorted([encoder.folder.name, "lock"])


def test_a_damaged_folder_in_the_cache_is_told(hub_models: dict[str, Path], own_cache: Path) -> None:
    shutil.copytree(converted_folder_of_all(hub_models), own_cache / "converted" / "x")
    place = cached._place(models.find_pretrained(str(hub_models["vit"])).fingerprint)
    (own_cache / "converted" / "x").rename(place)
    (place / "encoder.onnx").write_bytes(b"damaged")
    with pytest.raises(EncoderError, match="bytes instead of"):
        open_encoder(hub_models["vit"]).encode([np.zeros((9, 9, 3), np.uint8)])


def converted_folder_of_all(hub_models: dict[str, Path]) -> Path:
    """The folder of the shared cache."""
    mine = os.environ["SIMSEARCH_CACHE"]
    os.environ["SIMSEARCH_CACHE"] = str(Path(mine).parent / "once")
    try:
        return converted_folder(str(hub_models["vit"]))
    finally:
        os.environ["SIMSEARCH_CACHE"] = mine


def test_a_cache_that_cannot_be_written_is_told(
    hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path / "file"))
    with pytest.raises(EncoderError, match=r"cannot be converted into .*file.*SIMSEARCH_CACHE.*simsearch convert"):
        open_encoder(hub_models["vit"])


def test_the_cache_is_where_the_system_has_its_caches(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIMSEARCH_CACHE")
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    for platform, expected in (
        ("linux", tmp_path / ".cache" / "simsearch"),
        ("darwin", tmp_path / "Library" / "Caches" / "simsearch"),
        ("win32", tmp_path / "AppData" / "Local" / "simsearch" / "Cache"),
    ):
        for name in ("XDG_CACHE_HOME", "LOCALAPPDATA"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(cached.sys, "platform", platform)
        assert cache_home() == expected
    monkeypatch.setattr(cached.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_home() == tmp_path / "xdg" / "simsearch"
