"""Learned tokenizers: the same bytes from the same texts, everything readable, padding first."""

from __future__ import annotations

from pathlib import Path

import pytest
from tokenizers import Tokenizer

from simsearch.encoders.folder import TOKENIZER_NAME
from simsearch.encoders.tokens import load_tokens
from simsearch.errors import EncoderError, UsageError
from simsearch.training.data.tokenization import learned_tokenizer, taken_tokenizer

TEXTS = [
    f"{who} {does} {what}"
    for who in ("the cat", "a dog", "my bird")
    for does in ("eats", "sees", "eating")
    for what in ("fish", "the fishes", "a seed", "Café no. 12")
]


def test_a_learned_tokenizer_reads_what_it_was_learned_from() -> None:
    content = learned_tokenizer(TEXTS, size=70)
    assert learned_tokenizer(TEXTS, size=70) == content
    tokenizer = Tokenizer.from_buffer(content)
    assert 10 < tokenizer.get_vocab_size() <= 70
    assert (tokenizer.id_to_token(0), tokenizer.id_to_token(1)) == ("<pad>", "<unk>")
    tokens = load_tokens(content, "learned", max_tokens=50, vocabulary=70)
    unknown = 1
    for text in TEXTS:
        ids = tokens.ids(text)
        assert unknown not in ids
        pieces = "".join(tokenizer.id_to_token(token).removeprefix("##") for token in ids)
        assert pieces == text.lower().replace(" ", "").replace("é", "e")
    assert unknown in tokens.ids("日")
    assert tokens.ids("THE CAT") == tokens.ids("the cat")


def test_what_cannot_be_learned_is_refused() -> None:
    with pytest.raises(UsageError, match="a vocabulary of 2 tokens is too small"):
        learned_tokenizer(TEXTS, size=2)


def test_a_tokenizer_is_taken_from_an_encoder_a_folder_or_a_file(tiny_text: Path, tiny: Path, tmp_path: Path) -> None:
    content = (tiny_text / TOKENIZER_NAME).read_bytes()
    assert taken_tokenizer(tiny_text) == content
    (tmp_path / TOKENIZER_NAME).write_bytes(content)
    assert taken_tokenizer(tmp_path) == taken_tokenizer(tmp_path / TOKENIZER_NAME) == content
    with pytest.raises(EncoderError, match="is an encoder of images and has no tokenizer"):
        taken_tokenizer(tiny)
    with pytest.raises(EncoderError, match="No such file"):
        taken_tokenizer(tmp_path / "nowhere")
