"""What is refused in a folder of the hub's format before any library sees it: code, pickles, gaps."""

from __future__ import annotations

import json
import pickle
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from simsearch.cli.upkeep import info_command
from simsearch.encoders import open_encoder
from simsearch.encoders.pretrained_hub import find_pretrained
from simsearch.errors import EncoderError, MissingExtraError

EVIL = "from pathlib import Path\nPath({!r}).touch()\nclass Reader: pass\n"


@pytest.fixture
def copy(hub_models: dict[str, Path], tmp_path: Path) -> Callable[[str], Path]:
    return lambda kind: shutil.copytree(hub_models[kind], tmp_path / "copy")


def rewrite(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_bytes()) | changes), encoding="utf-8")


@pytest.mark.parametrize("kind", ["dinov2", "sentences"])
def test_a_pickle_is_never_opened(kind: str, copy: Callable[[str], Path]) -> None:
    folder = copy(kind)
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({}))
    with pytest.raises(EncoderError, match=r"has its weights in pytorch_model\.bin, a pickle, which can run code"):
        open_encoder(folder)


def test_a_pickle_in_a_module_is_never_opened(copy: Callable[[str], Path]) -> None:
    folder = copy("sentences")
    (folder / "2_Dense" / "model.safetensors").rename(folder / "2_Dense" / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"pytorch_model\.bin"):
        open_encoder(folder)


def test_code_in_the_folder_is_never_run(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder, trace = copy("sentences"), tmp_path / "ran"
    (folder / "reader.py").write_text(EVIL.format(str(trace)), encoding="utf-8")
    rows = json.loads((folder / "modules.json").read_bytes())
    for kind in ("reader.Reader", "sentence_transformers.models.CLIPModel", "sentence_transformersx.Dense"):
        rows[0]["type"] = kind
        (folder / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
        with pytest.raises(EncoderError, match=f"modules.json names {kind}, but simsearch supports only"):
            open_encoder(folder)
    assert not trace.exists()


def test_a_model_that_brings_its_own_class_is_refused(copy: Callable[[str], Path], tmp_path: Path) -> None:
    folder, trace = copy("dinov2"), tmp_path / "ran"
    (folder / "reader.py").write_text(EVIL.format(str(trace)), encoding="utf-8")
    rewrite(folder / "config.json", model_type="mine", auto_map={"AutoConfig": "reader.R", "AutoModel": "reader.R"})
    with pytest.raises(EncoderError, match=r"transformers cannot load it: .*custom code"):
        open_encoder(folder)
    assert not trace.exists()


def test_modules_stay_inside_the_folder(copy: Callable[[str], Path]) -> None:
    folder = copy("sentences")
    rows = json.loads((folder / "modules.json").read_bytes())
    rows[2]["path"] = "../elsewhere"
    (folder / "modules.json").write_text(json.dumps(rows), encoding="utf-8")
    with pytest.raises(EncoderError, match="lies outside of the folder"):
        open_encoder(folder)


def test_parts_of_the_weights_are_read_and_stay_beside(
    hub_models: dict[str, Path], copy: Callable[[str], Path]
) -> None:
    from safetensors.numpy import load_file, save_file

    folder = copy("dinov2")
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    place = {name: f"part-{number % 2}.safetensors" for number, name in enumerate(weights)}
    for part in set(place.values()):
        chosen = {name: tensor for name, tensor in weights.items() if place[name] == part}
        save_file(chosen, folder / part, metadata={"format": "pt"})
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"metadata": {}, "weight_map": place}), encoding="utf-8")
    whole, parted = open_encoder(hub_models["dinov2"]), open_encoder(folder)
    picture = np.full((40, 40, 3), 200, dtype=np.uint8)
    assert (whole.encode([picture]) == parted.encode([picture])).all()
    for bad in ("../model.safetensors", "part-9.safetensors", "part-0.bin"):
        index.write_text(json.dumps({"weight_map": place | {"x": bad}}), encoding="utf-8")
        with pytest.raises(EncoderError, match="which is not a safetensors file beside it"):
            open_encoder(folder)


def test_a_missing_module_is_named(copy: Callable[[str], Path]) -> None:
    folder = copy("sentences")
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(EncoderError, match=r"has no config\.json in .*1_Pooling: the copy is not complete"):
        open_encoder(folder)


def test_gaps_are_named(copy: Callable[[str], Path]) -> None:
    folder = copy("dinov2")
    shutil.move(folder / "model.safetensors", folder / "weights")
    with pytest.raises(EncoderError, match=r"has no model\.safetensors .*: the copy is not complete"):
        open_encoder(folder)
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(EncoderError, match=r"neither preprocessor_config\.json .* nor tokenizer\.json"):
        open_encoder(folder)
    (folder / "config.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"config\.json: not a model configuration"):
        open_encoder(folder)
    (folder / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(EncoderError, match=r"config\.json: cannot be read \(JSONDecodeError"):
        open_encoder(folder)


@pytest.mark.parametrize("rows", ["{}", "[]", "[3]", '[{"type": "sentence_transformers.models.Pooling"}]'])
def test_a_broken_list_of_modules_is_named(rows: str, copy: Callable[[str], Path]) -> None:
    folder = copy("sentences")
    (folder / "modules.json").write_text(rows, encoding="utf-8")
    with pytest.raises(EncoderError, match=r"modules\.json: (not a list of modules|a module without type or path)"):
        open_encoder(folder)


def test_an_adapter_is_refused(copy: Callable[[str], Path]) -> None:
    folder = copy("bert")
    (folder / "adapter_config.json").write_text('{"base_model_name_or_path": "someone/else"}', encoding="utf-8")
    with pytest.raises(EncoderError, match="is an adapter, not a whole model"):
        open_encoder(folder)


def test_damaged_weights_are_told_in_one_line(copy: Callable[[str], Path]) -> None:
    folder = copy("dinov2")
    weights = (folder / "model.safetensors").read_bytes()
    for damaged in (weights[:1000], b"\xff" * 2000):
        (folder / "model.safetensors").write_bytes(damaged)
        with pytest.raises(EncoderError, match="transformers cannot load it: ") as told:
            open_encoder(folder)
        assert "\n" not in str(told.value)


@pytest.mark.parametrize("library", ["transformers", "onnx"])
def test_without_the_libraries_the_extra_is_named(
    library: str, copy: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = copy("dinov2")
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path / "empty"))
    monkeypatch.setitem(sys.modules, library, None)
    for name in (folder, "facebook/dinov2-small"):
        with pytest.raises(MissingExtraError, match=r'pip install "simsearch\[pretrained\]"'):
            open_encoder(name)


@pytest.mark.parametrize(("kind", "takes"), [("clip", "image, and words that find images"), ("sentences", "text")])
def test_info_tells_what_is_known_before_a_model_is_converted(
    kind: str, takes: str, hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path))
    folder, found = str(hub_models[kind]), find_pretrained(str(hub_models[kind]))
    told = CliRunner().invoke(info_command, [folder], catch_exceptions=False)
    assert told.output.splitlines() == [
        f"model   {folder} {found.fingerprint}",
        f"input   {takes}",
        f"folder  {folder}",
        "state   not converted yet; it is converted when it is first used, or by simsearch convert",
    ]
    told = CliRunner().invoke(info_command, [folder, "--json"], catch_exceptions=False)
    assert json.loads(told.output) == {
        "name": folder,
        "fingerprint": found.fingerprint,
        "modality": found.modality,
        "words": kind == "clip",
        "folder": folder,
    }


def test_info_tells_all_of_a_model_that_was_converted(hub_models: dict[str, Path]) -> None:
    folder, config = str(hub_models["clip"]), open_encoder(hub_models["clip"]).config
    told = CliRunner().invoke(info_command, [folder], catch_exceptions=False)
    assert config.fingerprint in told.output.splitlines()[0]
    assert "fitted by crop; also words, which find images" in told.output
    told = CliRunner().invoke(info_command, [folder, "--json"], catch_exceptions=False)
    assert json.loads(told.output)["model"]["kind"] == "converted"
