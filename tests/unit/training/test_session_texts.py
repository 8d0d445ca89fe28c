"""Training on texts from files to an encoder folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import TOKENIZER_NAME
from simsearch.errors import EncoderError, TrainingError, UsageError
from simsearch.labelled.reading import Reading
from simsearch.training import Changes, train
from simsearch.training.export.folder import export_encoder
from simsearch.training.export.quantization import with_eight_bit_tables
from simsearch.training.finetuning.initial import load_initial_encoder
from simsearch.training.networks.specification import TextSpec
from simsearch.training.presets import preset

TOPICS = {
    "card": ("my card is lost", "the card was stolen", "i cannot find my bank card", "freeze my card please"),
    "rate": ("what is the exchange rate", "which rate do you use for euros", "dollars to pounds", "rates for currency"),
    "top-up": ("my top up failed", "how do i add money", "adding money did not work", "top up by transfer"),
}
QUICK = replace(
    preset("words"),
    model=TextSpec("bag", vocabulary=300, dim=16, codes=20),
    steps=30,
    evaluate_every=10,
    batch_classes=3,
    batch_images=4,
    counts=(0.6, 0.2, 0.2),
)


def table(folder: Path, copies: int = 3) -> Path:
    """A table of texts and labels, each text with some words added."""
    file = folder / "questions.csv"
    rows = [
        f"{text} {ending},{label}"
        for label, texts in TOPICS.items()
        for text in texts
        for ending in ("", "now", "today", "again")[:copies]
    ]
    file.write_text("\n".join(["text,label", *rows]))
    return file


def test_texts_are_learned_from_and_the_folder_encodes_them(tmp_path: Path) -> None:
    trained = train(table(tmp_path), tmp_path / "out", recipe=QUICK)
    assert [path.name for path in trained.pictures] == ["confusion.png", "curves.png", "embedding.png", "scores.png"]
    assert trained.config.modality == "text"
    assert trained.config.vocabulary <= 300
    vectors = open_encoder(tmp_path / "out").encode(
        ["my card was stolen now", "the lost bank card", "rate for dollars"]
    )
    assert vectors.shape == (3, 16)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_the_same_seed_gives_the_same_weights_and_tokens(tmp_path: Path) -> None:
    folders = [train(table(tmp_path), tmp_path / name, recipe=QUICK, report=False).folder for name in ("one", "two")]
    for name in ("weights.safetensors", TOKENIZER_NAME, "encoder.onnx"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes()


def test_training_goes_on_from_an_encoder_with_its_tokens(tmp_path: Path) -> None:
    train(table(tmp_path), tmp_path / "first", recipe=QUICK, report=False)
    still = replace(QUICK, steps=1, learning_rate=1e-12)
    again = train(table(tmp_path, copies=4), tmp_path / "again", recipe=still, start=tmp_path / "first", report=False)
    assert (again.folder / TOKENIZER_NAME).read_bytes() == (tmp_path / "first" / TOKENIZER_NAME).read_bytes()
    texts = ["how do i add money", "which rate"]
    np.testing.assert_allclose(
        open_encoder(again.folder).encode(texts), open_encoder(tmp_path / "first").encode(texts), atol=1e-5
    )


def test_training_goes_on_from_tables_in_eight_bits(tmp_path: Path) -> None:
    train(table(tmp_path), tmp_path / "first", recipe=QUICK, report=False)
    found = load_initial_encoder(str(tmp_path / "first"))
    (tmp_path / "packed").mkdir()
    with_eight_bit_tables(found.encoder)
    export_encoder(
        found.encoder,
        found.spec,
        tmp_path / "packed",
        name="packed",
        tokenizer=found.tokenizer,
        sample=np.ones((2, 4), dtype=np.int64),
        half=True,
        training={},
        figures={},
    )
    still = replace(QUICK, steps=1, learning_rate=1e-12)
    again = train(table(tmp_path, copies=4), tmp_path / "again", recipe=still, start=tmp_path / "packed", report=False)
    texts = ["how do i add money", "which rate"]
    before = open_encoder(tmp_path / "packed").encode(texts)
    np.testing.assert_allclose(open_encoder(again.folder).encode(texts), before, atol=1e-5)


def test_graded_pairs_and_lines_without_labels(tmp_path: Path) -> None:
    texts = [f"{text} {ending}" for texts in TOPICS.values() for text in texts for ending in ("now", "today", "again")]
    graded = tmp_path / "graded.csv"
    rows = [f"{a},{b},{5 * (i // 12 == j // 12)}" for i, a in enumerate(texts) for j, b in enumerate(texts) if i < j]
    graded.write_text("\n".join(["s1,s2,score", *rows]))
    learned = train(graded, tmp_path / "graded", recipe=QUICK, report=False)
    assert learned.config.training["loss"] == "bce"
    assert {"test_spearman", "test_pearson"} <= learned.figures.keys()
    with pytest.raises(TrainingError, match=r"3 graded pairs are too few: after the split 0 are left for validation"):
        graded.write_text("\n".join(["s1,s2,score", *rows[:2], rows[20]]))
        train(graded, tmp_path / "few", recipe=QUICK, report=False)
    lines = tmp_path / "lines.txt"
    lines.write_text("\n".join(texts))
    unlabelled = train(lines, tmp_path / "lines", recipe=QUICK, report=False)
    assert unlabelled.config.training["kind"] == "unlabelled"
    assert 0 <= float(str(unlabelled.figures["test_own_view_nearest"])) <= 1


def test_what_does_not_go_together_is_refused(tmp_path: Path) -> None:
    file = table(tmp_path)
    with pytest.raises(UsageError, match="preset 'backbone' is for images, but the source holds texts"):
        train(file, tmp_path / "out", recipe="backbone")
    with pytest.raises(UsageError, match="glyph is an encoder of images, but the source holds texts"):
        train(file, tmp_path / "out", start="glyph")
    with pytest.raises(UsageError, match="augmentation 'photo' applies to images"):
        train(file, tmp_path / "out", recipe=QUICK, changes=Changes(augmentation="photo"))
    with pytest.raises(UsageError, match="no kind"):
        train(file, tmp_path / "out", reading=Reading(kind="stories"))  # type: ignore[arg-type]
    train(file, tmp_path / "first", recipe=QUICK, report=False)
    (tmp_path / "first" / TOKENIZER_NAME).write_text("{}")
    with pytest.raises(EncoderError, match=r"tokenizer\.json: "):
        train(file, tmp_path / "out", recipe=QUICK, start=tmp_path / "first")
