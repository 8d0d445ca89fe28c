"""simsearch train on every kind of data, images and texts, and what it says of runs that fail."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from simsearch import open_encoder

WORDS = ("--steps", "3", "--no-report", "--quiet", "--json")
SMALL = ("--preset", "digits", "--set", "batch_classes=2", "--set", "batch_images=4", *WORDS)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, image):
    """Three folders of ten noisy images each, and beside them tables of them."""
    root = tmp_path_factory.mktemp("kinds")
    names = []
    for number in range(30):
        base = np.asarray(image(number % 3).resize((28, 28))).astype(np.int64)
        noisy = base + np.random.default_rng(number).normal(0, 15, size=base.shape)
        names.append(f"in/{'abc'[number % 3]}/{number}.png")
        (root / names[-1]).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(root / names[-1])
    table(root / "manifest.csv", "path,label", [(name, name[3]) for name in names])
    # No image is in two rows, so that rows can be held out.
    blocks = [names[start : start + 6] for start in range(0, 30, 6)]
    alike = [(block[n], block[n + 3], 1) for block in blocks[::2] for n in range(3)]
    apart = [(block[n], block[3 + (n + 1) % 3], 0) for block in blocks[1::2] for n in range(3)]
    table(root / "pairs.csv", "left,right,same", [*alike, *apart])
    table(root / "graded.csv", "left,right,score", [(a, b, n % 6) for n, (a, b, _) in enumerate([*alike, *apart])])
    triplets = [(block[0], block[3], block[1]) for block in blocks] + [
        (block[2], block[5], block[4]) for block in blocks
    ]
    table(root / "triplets.csv", "anchor,positive,negative", triplets)
    return root


def table(path, head, rows):
    path.write_text("\n".join([head, *(",".join(map(str, row)) for row in rows)]) + "\n")


KINDS = {
    "classes": ("in", (), "test_pair_accuracy"),
    "manifest": ("manifest.csv", (), "test_pair_accuracy"),
    "pairs": ("pairs.csv", (), "validation_pair_accuracy"),
    "graded": ("graded.csv", ("--set", "score_range=0,5", "--set", "counts=0.4,0.3,0.3"), "test_spearman"),
    "triplets": ("triplets.csv", (), "test_triplets_in_order"),
    "unlabelled": ("in", ("--kind", "unlabelled"), "test_own_view_nearest"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_pictures_gives_an_encoder(command, pictures, place, kind):
    source, words, figure = KINDS[kind]
    done = command("train", pictures / source, "-o", "out", *SMALL, *words)
    assert done.code == 0, done.err
    (record,) = done.records
    assert 0 <= abs(record["figures"][figure]) <= 1
    written = json.loads((place / "out" / "encoder.json").read_bytes())
    assert written["training"]["kind"] == {"manifest": "classes"}.get(kind, kind)
    assert written["training"]["steps_taken"] == 3
    assert written["training"]["augmentation"] == ("photo" if kind == "unlabelled" else "none")
    vectors = open_encoder(place / "out").encode(sorted((pictures / "in").rglob("*.png")))
    assert vectors.shape == (30, 128)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-4)


def test_sides_may_be_left_empty(command, pictures, place):
    """Without validation there is no figure to write; the threshold is then that of the pairs that are trained on."""
    done = command("train", pictures / "in", "-o", "out", *SMALL, "--set", "counts=0.8,0,0.2")
    assert done.code == 0, done.err
    figures = done.records[0]["figures"]
    assert "validation" not in figures
    assert {"training_pair_accuracy", "threshold", "test_pair_accuracy", "test_roc_auc"} <= figures.keys()
    history = json.loads((place / "out" / "encoder.json").read_bytes())["training"]["history"]
    assert [sorted(row) for row in history] == [["loss", "step"]]


def test_a_loss_that_is_not_finite_names_the_step_and_the_cure(command, pictures, place):
    words = ("--loss", "classifier", "--set", "optimizer=sgd", "--learning-rate", "1e38")
    done = command("train", pictures / "in", "-o", "out", *SMALL, *words)
    assert done.code == 1
    assert "the loss is nan at step 1; lower the learning rate (1e+38 now)" in done.err
    assert not (place / "out").exists()


def test_rows_that_cannot_be_used_are_skipped_and_listed_or_refused(command, pictures, place):
    lines = (pictures / "manifest.csv").read_text().splitlines()
    table = pictures / "flawed.csv"
    table.write_text("\n".join([*lines, "in/a/0.png", "in/a/0.png,"]) + "\n")
    done = command("train", table, "-o", "out", *SMALL)
    assert done.code == 0, done.err
    (record,) = done.records
    assert record["skipped_files"] == [
        {"path": f"{table}:32", "reason": "1 cell, but the header has 2", "count": 1},
        {"path": f"{table}:33", "reason": "label is missing", "count": 1},
    ]
    for words in (
        ("train", table, "-o", "strict", *SMALL, "--set", "strict=true"),
        ("evaluate", "out", table, "--quiet", "--strict"),
    ):
        done = command(*words)
        assert (done.code, [list(record) for record in done.records]) == (1, [["error"]] * ("--json" in words))
        assert done.err.splitlines() == [
            f"Error: {table}: 2 bad rows; such rows are skipped without --strict (for train --set strict=true)",
            f"  {table}:32: 1 cell, but the header has 2",
            f"  {table}:33: label is missing",
        ]
    assert not (place / "strict").exists()
