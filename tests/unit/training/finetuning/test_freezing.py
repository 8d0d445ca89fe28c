"""Training on from an encoder with frozen layers: they stay bit for bit, and what is exported is what was trained."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_tensors
from safetensors.torch import save_file
from torch import Tensor, nn

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import CONFIG_NAME, WEIGHTS_NAME, read_config, write_config
from simsearch.errors import EncoderError, UsageError
from simsearch.labelled.reading import Reading
from simsearch.progress import Silent
from simsearch.training import Changes, Trained, network_run, session, train
from simsearch.training.data.inputs import Arrays
from simsearch.training.export.folder import export_encoder
from simsearch.training.finetuning import interpolation
from simsearch.training.finetuning.freezing import divided, features_of
from simsearch.training.finetuning.initial import RETIRED, load_initial_encoder
from simsearch.training.losses.table import default_loss
from simsearch.training.networks.building import build, build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import ModelSpec, TextSpec
from simsearch.training.presets import preset
from simsearch.training.processes import SingleProcess

SPECS = {
    "residual": ModelSpec("residual", 12, 12, 3, 5, widths=(4, 6, 8)),
    "residual with a head": ModelSpec("residual", 12, 12, 3, 5, widths=(4, 6), blocks=(2, 1), head=True),
    "digits": ModelSpec("digits", 12, 12, 3, 5, dropout=0.4),
    "shapes": ModelSpec("shapes", 12, 12, 3, 5),
}
RECIPE = replace(
    preset("glyph"),
    model=SPECS["residual"],
    fit="crop",
    poses=1,
    augmentation="photo",
    scale=None,
    contrast_weight=0.0,
    within_power=0.0,
    learning_rate=0.2,
    batch_classes=2,
    batch_images=3,
    steps=4,
    evaluate_every=2,
    split="content",
    counts=(0.6, 0.2, 0.2),
)
DrawShape = Callable[..., Path]


def pixels(spec: ModelSpec, count: int) -> np.ndarray:
    shape = (count, spec.height, spec.width, spec.channels)
    return np.random.default_rng(0).integers(0, 256, size=shape, dtype=np.uint8)


def built(spec: ModelSpec, seed: int = 0) -> SiameseEncoder:
    torch.manual_seed(seed)
    encoder = build(spec, mean=(0.4,) * spec.channels, std=(0.3,) * spec.channels).train()
    # Moves the statistics of batch normalisation away from where they start.
    encoder(torch.from_numpy(pixels(spec, 40)))
    return encoder


@pytest.mark.parametrize("freeze", ["part", "all"])
@pytest.mark.parametrize("name", SPECS)
def test_tail_of_front_is_the_encoder(name: str, freeze: str, tmp_path: Path) -> None:
    spec = SPECS[name]
    encoder, rows = built(spec), Arrays(pixels(spec, 300))
    front, tail = divided(encoder, freeze)
    # In training mode dropout and batch statistics would show.
    features = features_of(front.train(), rows, tmp_path / "features.npy", torch.device("cpu"), Silent())
    encoder.eval()
    with torch.inference_mode():
        direct = front(rows.batch(np.arange(300)))
        chosen = np.array([299, 0, 7])
        found, expected = tail(features.batch(chosen)), encoder(rows.batch(chosen))
    assert len(features) == 300
    np.testing.assert_allclose(features.rows, direct.numpy(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
    frozen = {id(parameter) for parameter in front.layers.parameters()}
    learned = {id(parameter) for parameter in tail.parameters()}
    assert frozen
    assert not frozen & learned
    assert frozen | learned == {id(parameter) for parameter in encoder.parameters()}


def test_a_network_of_one_piece_is_frozen_whole_or_not_at_all() -> None:
    encoder = build_text(TextSpec("recurrent", vocabulary=20, dim=6, width=4))
    with pytest.raises(UsageError, match="not a sequence of layers; give --freeze all or none"):
        divided(encoder, "part")
    front, tail = divided(encoder.eval(), "all")
    ids = torch.tensor([[3, 4, 0], [5, 6, 7]])
    with torch.inference_mode():
        torch.testing.assert_close(tail(front(ids)), encoder(ids), rtol=0, atol=1e-6)


def exported(folder: Path, spec: ModelSpec, seed: int = 0) -> Path:
    folder.mkdir()
    export_encoder(
        built(spec, seed),
        spec,
        folder,
        name=folder.name,
        fit="squash",
        sample=pixels(spec, 4),
        half=False,
        training={},
        figures={},
    )
    return folder


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory, draw_shape: DrawShape) -> Path:
    root = tmp_path_factory.mktemp("frozen") / "labelled"
    for number, (shape, colour) in itertools.product(range(10), (("circle", "red"), ("square", "blue"))):
        draw_shape(root / shape / f"{number}.png", shape, colour, 50 * len(shape) + 1_000 * number)
    return root


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder whose last layer before the embedding has batch statistics."""
    return exported(tmp_path_factory.mktemp("base") / "base", SPECS["residual"])


def tuned(source: Path, out: Path, start: Path, freeze: str, **changes: object) -> Trained:
    return train(source, out, start=start, freeze=freeze, **{"recipe": RECIPE, "report": False, **changes})  # type: ignore[arg-type]


def same_as_torch(folder: Path, source: Path) -> None:
    """ONNX Runtime gives what the stored weights give in torch."""
    paths = sorted(source.rglob("*.png"))
    encoder = load_initial_encoder(str(folder)).encoder.eval()
    found = open_encoder(folder)
    prepared = [picture.pixels for picture in map(found.prepare, map(str, paths))]  # type: ignore[attr-defined]
    with torch.inference_mode():
        expected = encoder(torch.from_numpy(np.stack(prepared))).numpy()
    np.testing.assert_allclose(found.encode(paths), expected, rtol=0, atol=1e-4)


@pytest.fixture(scope="module")
def headed(labelled: Path, base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base with a head that was trained while all else was frozen."""
    return tuned(labelled, tmp_path_factory.mktemp("headed") / "headed", base, "all").folder


def test_all_frozen_trains_a_new_last_layer_alone(base: Path, headed: Path, labelled: Path) -> None:
    before, after = (load_file(folder / WEIGHTS_NAME) for folder in (base, headed))
    assert set(after) - set(before) == {"head.weight"}
    for name, weights in before.items():
        np.testing.assert_array_equal(after[name], weights, err_msg=name)
    assert np.abs(after["head.weight"] - np.eye(5)).max() > 1e-3
    config = read_config(headed)
    assert config.model["head"] is True
    start = config.training["start"]
    assert isinstance(start, dict)
    assert (start["freeze"], start["fingerprint"]) == ("all", read_config(base).fingerprint)
    same_as_torch(headed, labelled)


def test_an_encoder_with_a_head_is_trained_on_and_its_first_layers_frozen(
    headed: Path, labelled: Path, tmp_path: Path
) -> None:
    trained = tuned(labelled, tmp_path / "again", headed, "part")
    before, after = (load_file(folder / WEIGHTS_NAME) for folder in (headed, trained.folder))
    assert before.keys() == after.keys()
    front, _ = divided(load_initial_encoder(str(headed)).encoder, "part")
    frozen = {f"trunk.{name}" for name in front.layers.state_dict()} | {"mean", "std"}
    assert {name for name in frozen if name.endswith("running_var")}
    for name in before:
        assert np.array_equal(before[name], after[name]) == (name in frozen), name
    same_as_torch(trained.folder, labelled)


def test_batch_norm_layers_of_several_gpus_are_exported_as_built(
    base: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Synchronised(SingleProcess):
        def wrap(self, module: nn.Module) -> nn.Module:
            converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
            assert any(isinstance(layer, nn.SyncBatchNorm) for layer in converted.modules())
            return converted

    monkeypatch.setattr(session, "open_processes", lambda: Synchronised(torch.device("cpu")))
    trained = tuned(labelled, tmp_path / "out", base, "none", half=True, changes=Changes(augmentation="none"))
    assert {layer.kind for layer in trained.config.layers if "Norm" in layer.kind} == {"BatchNorm1d", "BatchNorm2d"}
    same_as_torch(trained.folder, labelled)


def test_features_have_one_view_of_each_input(base: Path, labelled: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--freeze all encodes each input once, without augmentation"):
        tuned(labelled, tmp_path / "out", base, "all", changes=Changes(augmentation="photo"))
    with pytest.raises(UsageError, match="--freeze part encodes each input once, without poses"):
        tuned(labelled, tmp_path / "out", base, "part", changes=Changes(poses=4))
    with pytest.raises(UsageError, match="poses applies to classes, not unlabelled; omit it"):
        tuned(labelled, tmp_path / "out", base, "none", reading=Reading(kind="unlabelled"), changes=Changes(poses=4))
    with pytest.raises(UsageError, match="unlabelled files need two views of each, but --freeze part has one"):
        tuned(labelled, tmp_path / "out", base, "part", reading=Reading(kind="unlabelled"))
    with pytest.raises(UsageError, match="--freeze all needs an initial encoder"):
        train(labelled, tmp_path / "out", recipe="shapes", freeze="all")
    with pytest.raises(UsageError, match="no freeze 'half'; there are none, part, all"):
        tuned(labelled, tmp_path / "out", base, "half")


def test_weights_are_kept_between_the_start_and_what_was_learned(base: Path, labelled: Path, tmp_path: Path) -> None:
    whole, quarter, half = (
        tuned(labelled, tmp_path / f"{share}", base, "all", changes=Changes(start_share=share))
        for share in (0.0, 0.25, 0.5)
    )
    learned, near, middle = (load_file(each.folder / WEIGHTS_NAME)["head.weight"] for each in (whole, quarter, half))
    np.testing.assert_allclose(near, 0.25 * np.eye(5) + 0.75 * learned, rtol=0, atol=1e-6)
    np.testing.assert_allclose(middle, 0.5 * np.eye(5) + 0.5 * learned, rtol=0, atol=1e-6)
    assert np.abs(learned - np.eye(5)).max() > 3e-3
    assert quarter.config.training["start_share"] == 0.25
    assert "start_share" not in quarter.figures
    same_as_torch(quarter.folder, labelled)


@pytest.mark.parametrize("freeze", ["none", "part", "all"])
def test_classes_choose_how_much_of_the_start_is_kept(
    freeze: str, base: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interpolation, "one_standard_error_rule", lambda measured: list(measured)[1])
    trained = tuned(labelled, tmp_path / "chosen", base, freeze)
    given = tuned(labelled, tmp_path / "given", base, freeze, changes=Changes(start_share=0.25))
    assert trained.figures["start_share"] == trained.config.training["start_share"] == 0.25
    start = trained.config.training["start"]
    assert isinstance(start, dict)
    assert isinstance(start["shares_compared"], dict)
    assert list(start["shares_compared"]) == ["0", "0.25", "0.5", "0.75"]
    weights, same = (load_file(each.folder / WEIGHTS_NAME) for each in (trained, given))
    for name, values in weights.items():
        np.testing.assert_array_equal(values, same[name], err_msg=name)
    assert trained.figures["validation"] == given.figures["validation"]


def test_the_validation_figure_is_of_the_weights_that_are_kept(
    base: Path, labelled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sum_of_weights(network: nn.Module, *_: object) -> float:
        return sum(float(weights.detach().abs().sum()) for weights in network.parameters())

    monkeypatch.setattr(network_run, "validation_figure", sum_of_weights)
    trained = tuned(labelled, tmp_path / "out", base, "none", changes=Changes(start_share=0.5))
    kept = sum_of_weights(load_initial_encoder(str(trained.folder)).encoder)
    assert trained.figures["validation"] == pytest.approx(kept, rel=1e-6)
    assert all(abs(row["validation"] - kept) > 1e-4 * kept for row in trained.history)


def test_what_is_learned_from_pairs_is_kept_whole(base: Path, labelled: Path, tmp_path: Path) -> None:
    table = tmp_path / "pairs.csv"
    paths = sorted(labelled.rglob("*.png"))
    rows = [f"{one},{other},{int(one.parent == other.parent)}" for one, other in itertools.combinations(paths, 2)]
    table.write_text("\n".join(["left,right,same", *rows]) + "\n")
    shares = [
        tuned(table, tmp_path / f"out{number}", base, "all", **given).config.training["start_share"]
        for number, given in enumerate(({}, {"changes": Changes(start_share=0.5)}))
    ]
    assert shares == [0.0, 0.5]


def test_shares_that_make_no_sense_are_refused(base: Path, labelled: Path, tmp_path: Path) -> None:
    for share in (-0.1, 1.0):
        with pytest.raises(UsageError, match=f"start share must be from 0 to below 1, not {share}"):
            tuned(labelled, tmp_path / "out", base, "all", changes=Changes(start_share=share))
    with pytest.raises(UsageError, match=r"start_share 0\.5 needs an initial encoder; name it with --from"):
        train(labelled, tmp_path / "out", recipe=RECIPE, changes=Changes(start_share=0.5))


def missing(weights: dict[str, Tensor]) -> None:
    del weights["trunk.0.0.weight"]


def other_shape(weights: dict[str, Tensor]) -> None:
    weights["trunk.0.0.weight"] = torch.zeros(7, 3, 3, 3)


def too_many(weights: dict[str, Tensor]) -> None:
    weights["trunk.99.weight"] = torch.zeros(2)


@pytest.mark.parametrize("change", [missing, other_shape, too_many])
def test_weights_of_another_network_are_refused(
    change: Callable[[dict[str, Tensor]], None], base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    weights = load_tensors(base / WEIGHTS_NAME)
    change(weights)
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    save_file(weights, folder / WEIGHTS_NAME)
    write_config(folder, read_config(folder).sealed(folder))
    with pytest.raises(EncoderError, match=r"does not match the configuration in encoder\.json: .*trunk"):
        load_initial_encoder(str(folder))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dim": 999_999}, r"encoder\.json has dimension \d+, but its network 999999"),
        ({"widths": [10**12]}, r"encoder\.json does not say how its network is built: "),
        ({"widths": ["many"]}, r"encoder\.json does not say how its network is built: "),
    ],
)
def test_a_network_that_cannot_be_built_is_refused(
    change: dict[str, object], message: str, base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "edited"
    shutil.copytree(base, folder)
    document = json.loads((folder / CONFIG_NAME).read_bytes())
    document["model"] |= change
    (folder / CONFIG_NAME).write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(EncoderError, match=message):
        load_initial_encoder(str(folder))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        *[({"kind": kind}, f"networks of its kind, {kind!r}, are") for kind in RETIRED],
        ({"views": ["plain", "mirror"]}, "networks that see the mirror image too are"),
    ],
)
def test_a_network_that_is_no_longer_built_is_used_but_not_trained_on(
    change: dict[str, object], said: str, base: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "old"
    shutil.copytree(base, folder)
    document = json.loads((folder / CONFIG_NAME).read_bytes())
    document["model"] |= change
    (folder / CONFIG_NAME).write_text(json.dumps(document), encoding="utf-8")
    picture = Image.new("RGB", (12, 12), "red")
    np.testing.assert_array_equal(*(open_encoder(each).encode([picture]) for each in (folder, base)))
    with pytest.raises(
        EncoderError, match=f"old can be used, but not fine-tuned: {said} no longer built; .*--from photo"
    ):
        load_initial_encoder(str(folder))


def test_what_is_no_file_of_weights_is_refused(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "spoiled"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / WEIGHTS_NAME).write_bytes(b"no weights")
    with pytest.raises(EncoderError):
        load_initial_encoder(str(folder))
    write_config(folder, read_config(folder).sealed(folder))
    with pytest.raises(EncoderError, match=r"weights\.safetensors: not a safetensors file"):
        load_initial_encoder(str(folder))


def test_the_second_half_of_the_layers_is_learned() -> None:
    front, tail = divided(built(SPECS["digits"]), "part")
    assert [type(layer).__name__ for layer in front.layers.children()] == ["Flatten", "Linear", "ReLU", "Dropout"]
    assert [type(layer).__name__ for layer in tail.layers.children()] == ["Linear", "ReLU", "Dropout", "Linear"]


def test_going_on_without_a_preset_takes_the_default_loss_of_the_data(
    base: Path, labelled: Path, tmp_path: Path
) -> None:
    def loss(number: int, **given: object) -> object:
        trained = train(labelled, tmp_path / f"out{number}", start=base, steps=2, report=False, **given)  # type: ignore[arg-type]
        return trained.config.training["loss"]

    assert preset("backbone").loss == "contrastive"
    assert loss(0) == default_loss("classes") == "infonce"
    assert loss(1, loss="triplet") == "triplet"
    assert loss(2, recipe="backbone") == "contrastive"
