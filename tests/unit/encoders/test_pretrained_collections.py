"""Collections made with pretrained models, from the command line: made, opened again, asked with pictures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simsearch import Collection
from simsearch.cli import cli
from simsearch.encoders import open_encoder
from simsearch.encoders.pretrained_folder import read_folder
from simsearch.errors import EncoderMismatchError
from simsearch.types import DualEncoder

COLORS = {"red": (220, 20, 20), "green": (20, 200, 30), "blue": (20, 30, 220)}


@pytest.fixture
def place(hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a tiny CLIP and images of squares."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(hub_models["clip"], tmp_path / "tiny-clip")
    (tmp_path / "pics").mkdir()
    for name, color in COLORS.items():
        picture = Image.new("RGB", (48, 40), "white")
        picture.paste(color, (8, 8, 36, 32))
        picture.save(tmp_path / "pics" / f"{name}.png")
    return tmp_path


Say = Callable[..., list[dict[str, object]]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Say:
    """Runs a command in this process, as loading the libraries again takes seconds; gives its JSON lines."""

    def run(*words: str) -> list[dict[str, object]]:
        cli.main([*words, "--json"], standalone_mode=False)
        told = capsys.readouterr()
        assert told.err == ""
        return [json.loads(line) for line in told.out.splitlines()]

    return run


def test_a_folder_makes_a_collection_that_opens_from_anywhere(
    place: Path, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    (made,) = say("index", "pics", "--encoder", "./tiny-clip", "--quiet")
    assert (made["added"], made["skipped"]) == (3, 0)
    (told,) = say("info", "--index", "indexes/pics")
    assert told["encoder"] == str(place / "tiny-clip")
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    shutil.copy(place / "pics" / "red.png", "asked.png")
    first, *rest = say("query", "asked.png", "--index", str(place / "indexes" / "pics"))
    assert Path(str(first["path"])).name == "red.png" and first["score"] == pytest.approx(1.0, abs=1e-5)
    assert len(rest) == 2


def test_a_command_finds_pictures_by_words(place: Path, say: Say) -> None:
    say("index", "pics", "--encoder", "./tiny-clip", "--quiet")
    encoder = open_encoder("tiny-clip")
    assert isinstance(encoder, DualEncoder)
    paths = sorted((place / "pics").iterdir())
    for words in ("a red square", "the big dog"):
        found = say("query", words)
        scores = (encoder.encode(paths).astype(np.float64) @ encoder.encode_texts([words])[0]).tolist()
        best = sorted(zip(scores, map(str, paths), strict=True), reverse=True)
        assert [match["path"] for match in found] == [path for _, path in best]
        assert [match["score"] for match in found] == pytest.approx([score for score, _ in best], abs=1e-4)


def test_texts_are_indexed_and_asked(hub_models: dict[str, Path], place: Path, say: Say) -> None:
    notes = place / "notes"
    notes.mkdir()
    for name, text in (("one", "a red square"), ("two", "the small dog on a cat")):
        (notes / f"{name}.txt").write_text(text, encoding="utf-8")
    (made,) = say("index", "notes", "--encoder", str(hub_models["sentences"]), "--quiet")
    assert (made["added"], made["skipped"]) == (2, 0)
    first, _ = say("query", "a red square", "--index", "notes")
    assert Path(str(first["path"])).name == "one.txt" and first["score"] == pytest.approx(1.0, abs=1e-5)


def test_a_name_of_the_hub_is_kept_as_it_is(
    hub_models: dict[str, Path], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from simsearch.encoders import pretrained_hub

    monkeypatch.setattr(pretrained_hub, "hub_folder", lambda name: hub_models["dinov2"])
    monkeypatch.setenv("SIMSEARCH_CACHE", str(place / "cache"))
    with Collection.create("col", "someone/tiny"):
        pass
    with Collection.open("col") as opened:
        assert opened.info().encoder == opened.encoder.name == "someone/tiny"
        assert opened.encoder.fingerprint == open_encoder(hub_models["dinov2"]).fingerprint


def test_words_find_pictures(place: Path) -> None:
    with Collection.create("col", "tiny-clip") as made:
        made.add("pics")
        assert isinstance(made.encoder, DualEncoder)
        words = made.encoder.encode_texts(["a red square", "a big dog"])
        found = [made.query(row) for row in words]
        pictures = open_encoder("tiny-clip").encode(sorted((place / "pics").iterdir()))
        expected = np.sort(words.astype(np.float64) @ pictures.T)[:, ::-1]
        scores = [[match.score for match in matches] for matches in found]
        np.testing.assert_allclose(scores, expected, atol=1e-5)


def test_other_weights_are_refused(place: Path, broken: Callable[..., Path]) -> None:
    Collection.create("col", "tiny-clip").close()
    changed = broken("clip", "vision_model.embeddings.class_embedding", 0.5)
    shutil.copy(changed / "model.safetensors", place / "tiny-clip" / "model.safetensors")
    with Collection.open("col") as opened, pytest.raises(EncoderMismatchError, match=r"tiny-clip$"):
        _ = opened.encoder


class Earlier:
    """What a collection noted of an encoder before models were converted: the checksum of the model itself."""

    modality, dim = "image", 24

    def __init__(self, folder: Path) -> None:
        self.name, self.fingerprint = str(folder), read_folder(folder, "it").fingerprint


def test_a_collection_from_before_models_were_converted_is_told_how_to_go_on(place: Path) -> None:
    Collection.create("col", Earlier(place / "tiny-clip")).close()  # type: ignore[arg-type]
    with Collection.open("col") as opened, pytest.raises(EncoderMismatchError) as told:
        _ = opened.encoder
    assert str(told.value).startswith(f"Index was built with encoder {place / 'tiny-clip'} (")
    assert str(told.value).endswith(f"--encoder {place / 'tiny-clip'}")
