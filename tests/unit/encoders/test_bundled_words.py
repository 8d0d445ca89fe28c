"""Words find photographs with the encoder that ships."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import bundled_with_words
from simsearch.encoders.words import WordsEncoder
from simsearch.errors import MediaError
from simsearch.types import DualEncoder, VocabularyEncoder

SAMPLES = Path(__file__).parents[3] / "examples" / "samples" / "clothing"


@pytest.fixture(scope="module")
def photo() -> WordsEncoder:
    encoder = open_encoder("photo")
    assert isinstance(encoder, WordsEncoder)
    return encoder


@pytest.fixture(scope="module")
def clothes(photo: WordsEncoder) -> tuple[np.ndarray, np.ndarray]:
    files = sorted(SAMPLES.rglob("*.jpg"))
    return photo.encode([str(file) for file in files]), np.array([file.parent.name for file in files])


def test_photo_is_the_one_that_ships_with_words(photo: WordsEncoder) -> None:
    assert list(bundled_with_words()) == ["photo"]
    assert isinstance(photo, DualEncoder)
    assert isinstance(photo, VocabularyEncoder)


@pytest.mark.parametrize(
    ("words", "kind", "least"),
    [
        ("shoes", "shoes", 8),
        ("t-shirt", "t-shirt", 6),
        ("jeans", "pants", 6),
        ("a sweater", "longsleeve", 5),
    ],
)
def test_words_find_photos_of_what_they_name(
    words: str, kind: str, least: int, photo: WordsEncoder, clothes: tuple[np.ndarray, np.ndarray]
) -> None:
    vectors, labels = clothes
    nearest = np.argsort(-(vectors @ photo.encode_texts([words])[0]), kind="stable")[:10]
    assert (labels[nearest] == kind).sum() >= least


def test_words_that_say_nothing_change_nothing(photo: WordsEncoder) -> None:
    plain, *others = photo.encode_texts(["dog", "a photo of a dog", "Dogs", "the dogs?"])
    for other in others:
        np.testing.assert_allclose(other, plain, atol=1e-5)


def test_a_word_that_is_not_known_is_named_and_left_out(photo: WordsEncoder) -> None:
    assert photo.unknown_words("a red xyzzy rose, zzyzx!") == ["xyzzy", "zzyzx"]
    assert photo.unknown_words("a red rose") == []
    with_it, without = photo.encode_texts(["red xyzzy rose", "red rose"])
    assert float(with_it @ without) > 0.9


@pytest.mark.parametrize("words", ["xyzzy", "the of", "qwrtp zzyzx"])
def test_what_names_no_thing_is_refused(words: str, photo: WordsEncoder) -> None:
    with pytest.raises(MediaError, match=r"^row 1: photo cannot embed it"):
        photo.encode_texts(["rose", words])


def test_vectors_of_words_do_not_depend_on_their_company(photo: WordsEncoder) -> None:
    alone = [photo.encode_texts([words])[0] for words in ("rose", "a dog in the snow", "cup")]
    np.testing.assert_allclose(photo.encode_texts(["rose", "a dog in the snow", "cup"]), alone, atol=1e-5)
