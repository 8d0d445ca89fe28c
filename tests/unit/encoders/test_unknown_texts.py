"""Texts that an encoder does not know, in part or at all, and texts that are longer than it reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from text_encoder import MAX_TOKENS
from tokenizers import Tokenizer, models, pre_tokenizers

from simsearch.collection import Collection
from simsearch.collection.querying import remarks
from simsearch.encoders import open_encoder
from simsearch.encoders.tokens import load_tokens
from simsearch.errors import MediaError, UsageError
from simsearch.types import Text

THAI, JAPANESE = "วันนี้อากาศเป็นอย่างไร", "今日はとても暑いです。"


@pytest.mark.parametrize("text", [THAI, JAPANESE, "πού είναι;", f"{THAI}?!", "🦊 🦊"])
def test_a_text_without_a_known_word_is_refused(text: str) -> None:
    with pytest.raises(MediaError, match=r"^row 0: no word of it is known to the encoder; use one for its language"):
        open_encoder("text").encode([text])


@pytest.mark.parametrize("text", ["?!", "4711", "Ünïcode", "naïve café", "hello"])
def test_texts_with_known_tokens_only_have_no_remark(text: str) -> None:
    assert open_encoder("text").prepare(text).remark == ""


def test_a_text_of_which_most_is_unknown_has_a_remark() -> None:
    encoder = open_encoder("text")
    most = "most of it is not in the vocabulary of the encoder"
    assert encoder.prepare(f"{THAI} ok").remark == most
    assert encoder.prepare("a text in English with one word 暑い in it").remark == ""


def unigram(**changes: object) -> bytes:
    tokenizer = Tokenizer(models.Unigram([("<pad>", 0.0), ("<unk>", 0.0), ("dog", -1.0), ("s", -2.0)], 1, False))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer.to_str().encode()


def test_the_unknown_token_of_a_unigram_model_is_found() -> None:
    tokens = load_tokens(unigram(), "it", max_tokens=4, vocabulary=4)
    assert tokens.read("dogs") == ((2, 3), False, 0.0)
    with pytest.raises(MediaError, match="no word of it is known"):
        tokens.read("猫")
    assert tokens.read("dog 猫").unknown == pytest.approx(0.25)


def whole_words(by_words: bool) -> bytes:
    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "?": 1, "dog": 2}, unk_token="?"))
    # Split by a pattern, tokens could span words: then texts are cut as a whole.
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit() if by_words else pre_tokenizers.Split(" ", "removed")
    return tokenizer.to_str().encode()


@pytest.mark.parametrize("by_words", [True, False])
def test_a_text_is_cut_where_it_has_more_tokens_than_are_used(by_words: bool) -> None:
    tokens = load_tokens(whole_words(by_words), "it", max_tokens=3, vocabulary=3)
    assert tokens.read("dog dog dog") == ((2, 2, 2), False, 0.0)
    assert tokens.read("dog dog dog dog") == ((2, 2, 2), True, 0.0)


def test_index_skips_what_is_unknown_and_remarks_what_is_cut(tiny_text: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "thai.txt").write_text(THAI, encoding="utf-8")
    (notes / "long.txt").write_text("word " * MAX_TOKENS)
    (notes / "short.txt").write_text("a short one")
    with Collection.create(tmp_path / "indexes" / "notes", tiny_text) as collection:
        report = collection.add(notes)
        assert [(Path(skip.path).name, skip.reason[:23]) for skip in report.skipped] == [
            ("thai.txt", "no word of it is known ")
        ]
        assert [(Path(one.path).name, one.text) for one in report.remarks] == [
            ("long.txt", f"only its first {MAX_TOKENS} tokens are used; --by paragraph splits it")
        ]
        assert collection.add(notes).remarks == ()
        with pytest.raises(MediaError, match="no word of it is known"):
            collection.query(JAPANESE)
        enrolled = collection.enroll("thai", [THAI])
        assert (enrolled.added, enrolled.skipped[0].path) == (0, THAI)
        assert np.isfinite(collection.query("a short one").__iter__().__next__().score)


def test_many_remarks_of_one_kind_are_counted(tiny_text: Path, tmp_path: Path) -> None:
    with Collection.create(tmp_path / "indexes" / "notes", tiny_text) as collection:
        report = collection.add_texts([str(n) for n in range(250)], [f"{n} " + "word " * 99 for n in range(250)])
        assert len(report.remarks) == 101
        assert sum(remark.count for remark in report.remarks) == 250


def test_queries_that_are_cut_or_mostly_unknown_are_remarked(tiny_text: Path, tmp_path: Path) -> None:
    with Collection.create(tmp_path / "indexes" / "notes", tiny_text) as collection:
        long = "word " * MAX_TOKENS
        found = remarks(collection, ["plain", THAI, f"{THAI} ok", Text(long), tmp_path / "letter.txt"])
        assert found == {
            f"{THAI} ok": "most of it is not in the vocabulary of the encoder",
            long: f"only its first {MAX_TOKENS} tokens are used; --by paragraph splits it",
        }


def test_texts_in_files_are_read_in_the_encoding_that_is_given(tiny_text: Path, tmp_path: Path) -> None:
    letter, other = tmp_path / "letter.txt", tmp_path / "other.txt"
    letter.write_bytes("caf\xe9 na\xefve".encode("cp1252"))
    other.write_bytes("cafe naive".encode("utf-16"))
    with Collection.create(tmp_path / "indexes" / "notes", tiny_text) as collection:
        collection.add_texts(["one"], ["caf\xe9 na\xefve"])
        assert collection.query(letter, encoding="cp1252")[0].score == pytest.approx(1.0)
        assert collection.enroll("Ana", [letter], encoding="cp1252").added == 1
        assert collection.recognize(letter, encoding="cp1252").score == pytest.approx(1.0)
        assert collection.compare(letter, str(letter), threshold=0.9, encoding="cp1252").same
        assert collection.compare(Text(str(letter)), letter, threshold=0.9, encoding="cp1252").score < 0.99
        for ask in (collection.query, collection.recognize):
            with pytest.raises(MediaError, match=r"letter\.txt: not UTF-8 .* give its encoding"):
                ask(letter)
            with pytest.raises(UsageError, match="no encoding 'utf-9'"):
                ask(letter, encoding="utf-9")
        assert 0 < collection.query(other)[0].score < 1


@pytest.mark.parametrize("text", ["a\0b", "\0"])
def test_a_nul_character_is_refused_wherever_it_comes_from(tiny_text: Path, tmp_path: Path, text: str) -> None:
    file = tmp_path / "nul.txt"
    file.write_text(text)
    with Collection.create(tmp_path / "indexes" / "notes", tiny_text) as collection:
        collection.add_texts(["one"], ["a text"])
        for given in (Text(text), file, text.encode()):
            with pytest.raises(MediaError, match="a NUL character"):
                collection.query(given)
            assert "a NUL character" in collection.enroll("Ana", [given]).skipped[0].reason
        assert "a NUL character" in collection.add_texts(["two"], [text]).skipped[0].reason
        assert "a NUL character" in collection.add(file).skipped[0].reason
        with pytest.raises(MediaError, match="a NUL character"):
            open_encoder(tiny_text).encode([file])
