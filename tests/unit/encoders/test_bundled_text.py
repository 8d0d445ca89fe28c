"""The encoder of texts that ships: what is alike scores higher, codes count, and it is small."""

from __future__ import annotations

import json

import numpy as np
import pytest

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import CONFIG_NAME, encoder_folder

FOLDER = encoder_folder("text")


def score(left: str, right: str) -> float:
    one, other = open_encoder("text").encode([left, right])
    return float(one @ other)


@pytest.mark.parametrize(
    ("asked", "alike", "other"),
    [
        ("Where is my card?", "My new card has not arrived yet", "How do I change my password?"),
        ("A man is playing a guitar.", "Someone plays an instrument.", "A cat sleeps on the sofa."),
        ("stocks fell sharply on Monday", "share prices dropped at the start of the week", "a recipe for apple pie"),
        ("sony dsc-w120 digital camera", "Sony camera DSC-W120, silver", "sony dsc-w130 digital camera"),
        ("order 4711-A", "order 4711a", "order 4712-A"),
    ],
)
def test_what_is_alike_scores_higher(asked: str, alike: str, other: str) -> None:
    assert score(asked, alike) > score(asked, other) + 0.1


def test_one_text_is_one_vector_wherever_it_stands() -> None:
    texts = ["one", "a longer text of several words", "one", "3.5 mm plug QX-1000", "Ünïcode 日本"]
    vectors = open_encoder("text").encode(texts)
    assert vectors.shape == (5, 256)
    np.testing.assert_array_equal(vectors[0], vectors[2])
    np.testing.assert_allclose(
        vectors, np.concatenate([open_encoder("text").encode([text]) for text in texts]), atol=1e-6
    )


def test_it_is_at_most_twelve_megabytes_and_tells_how_it_was_made() -> None:
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) <= 12_000_000
    document = json.loads((FOLDER / CONFIG_NAME).read_text(encoding="utf-8"))
    assert document["training"]["teacher"] == "all-MiniLM-L6-v2"
    assert document["figures"]["validation"] >= 0.86
    assert document["training"]["history"][-1]["step"] == document["training"]["steps_taken"]
