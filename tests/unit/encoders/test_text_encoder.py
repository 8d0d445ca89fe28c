"""Text encoders in use: ids as the tokenizer gives them, vectors as a naive mean gives them, and what is refused."""

from __future__ import annotations

import json
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from safetensors.numpy import load_file
from text_encoder import MAX_TOKENS, TEXT_DIM, VOCABULARY, make_text_encoder
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import (
    CONFIG_NAME,
    ONNX_NAME,
    TOKENIZER_NAME,
    WEIGHTS_NAME,
    encoder_folder,
    read_config,
    write_config,
)
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.encoders.text import BATCH, BATCH_TOKENS, CHUNK, OnnxTextEncoder, _batches, padded
from simsearch.encoders.tokens import MOST_KNOWN, load_tokens
from simsearch.errors import EncoderError, MediaError, UsageError, VectorError

TEXTS = ["A black cat sleeps.", "the black cat is asleep", "stock markets fell", "x", "Ünïcode 日本 text", "a  b\tc\nd"]


def opened(folder: Path) -> OnnxTextEncoder:
    encoder = open_encoder(folder)
    assert isinstance(encoder, OnnxTextEncoder)
    return encoder


def naive(folder: Path, text: str) -> NDArray[np.float64]:
    """The vector of one text: the tokenizer's own ids, one row after the other."""
    tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_NAME))
    table = load_file(folder / WEIGHTS_NAME)["table"].astype(np.float64)
    total = np.zeros(TEXT_DIM)
    for token in tokenizer.encode(text).ids[:MAX_TOKENS]:
        total += table[token]
    return total / np.linalg.norm(total)


@pytest.fixture
def copy(tiny_text: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_text, tmp_path / "copied"))


# -- vectors -------------------------------------------------------------------------------------------------------


def test_vectors_are_those_of_a_naive_mean_in_the_order_of_the_texts(tiny_text: Path) -> None:
    encoder = opened(tiny_text)
    texts = [*TEXTS, "longer " * 30, *TEXTS[::-1]]
    vectors = encoder.encode(texts)
    assert vectors.dtype == np.float32 and vectors.flags.c_contiguous
    np.testing.assert_allclose(vectors, [naive(tiny_text, text) for text in texts], atol=1e-6)
    assert (encoder.name, encoder.modality, encoder.dim) == ("tiny-text", "text", TEXT_DIM)


def test_every_batch_goes_back_to_its_place(tiny_text: Path) -> None:
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["ab", "cd", "e", "fg"], rng.integers(1, 60))) for _ in range(700)]
    encoder = opened(tiny_text)
    alone = np.concatenate([encoder.encode([text]) for text in texts])
    np.testing.assert_allclose(encoder.encode(texts), alone, atol=1e-6)


def test_more_texts_than_are_held_at_a_time(tiny_text: Path) -> None:
    texts = [f"text {number % 100}" for number in range(CHUNK + 3)]
    vectors = opened(tiny_text).encode(texts)
    np.testing.assert_array_equal(vectors[:100], vectors[100:200])
    np.testing.assert_allclose(vectors[CHUNK:], vectors[CHUNK % 100 : CHUNK % 100 + 3], atol=1e-6)


def test_no_texts_give_no_vectors(tiny_text: Path) -> None:
    assert opened(tiny_text).encode([]).shape == (0, TEXT_DIM)
    assert opened(tiny_text).embed([]).shape == (0, TEXT_DIM)


def test_text_bytes_and_a_file_give_the_same(tiny_text: Path, tmp_path: Path) -> None:
    text = "Ünïcode 日本 text"
    file = tmp_path / "note.txt"
    file.write_bytes(b"\xef\xbb\xbf" + text.encode())
    one, two, three = opened(tiny_text).encode([text, text.encode(), file])
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, three)


def test_a_str_is_never_a_path(tiny_text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("note").write_text("something else", encoding="utf-8")
    np.testing.assert_allclose(opened(tiny_text).encode(["note"])[0], naive(tiny_text, "note"), atol=1e-6)


def test_a_prepared_text_has_no_sides(tiny_text: Path) -> None:
    prepared = opened(tiny_text).prepare("a cat")
    assert (prepared.text, prepared.width, prepared.height) == ("a cat", None, None)
    assert [VOCABULARY[token] for token in prepared.ids] == ["a", "c", "at"]


@given(st.lists(st.integers(1, 3 * BATCH_TOKENS // 2), max_size=20), st.integers(0, 600))
def test_batches_are_bounded_and_hold_everything_once(long: list[int], short: int) -> None:
    lengths = np.array(long + [1 + number % 50 for number in range(short)], dtype=np.int64)
    order = np.argsort(lengths, kind="stable")
    batches = list(_batches(order, lengths))
    assert [row for batch in batches for row in batch] == order.tolist()
    for batch in batches:
        assert 1 <= len(batch) <= BATCH
        assert len(batch) == 1 or len(batch) * lengths[batch].max() <= BATCH_TOKENS


@given(st.lists(st.lists(st.integers(1, 9), max_size=5), max_size=5))
def test_ids_are_filled_up_with_zeros(ids: list[list[int]]) -> None:
    rows = padded(ids)
    assert rows.dtype == np.int64
    assert rows.shape == (len(ids), max(map(len, ids), default=0))
    for row, wanted in zip(rows.tolist(), ids, strict=True):
        assert row == wanted + [0] * (rows.shape[1] - len(wanted))


# -- tokens --------------------------------------------------------------------------------------------------------

PIECES = ["<pad>", "[UNK]", "[CLS]", "[SEP]", *"abcdé.-", *[f"##{c}" for c in "abcdé"], "ab", "##cd", "dad"]


def wordpiece(**parts: object) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(PIECES)}, unk_token="[UNK]"))
    tokenizer.add_special_tokens(["<pad>", "[UNK]", "[CLS]", "[SEP]"])
    for name, part in parts.items():
        setattr(tokenizer, name, part)
    return tokenizer


SPLITTERS: dict[str, Callable[[], Tokenizer]] = {
    "bert": lambda: wordpiece(normalizer=normalizers.BertNormalizer(), pre_tokenizer=pre_tokenizers.BertPreTokenizer()),
    "bert with case": lambda: wordpiece(
        normalizer=normalizers.BertNormalizer(lowercase=False), pre_tokenizer=pre_tokenizers.BertPreTokenizer()
    ),
    "lowercase": lambda: wordpiece(normalizer=normalizers.Lowercase(), pre_tokenizer=pre_tokenizers.Whitespace()),
    "plain": lambda: wordpiece(pre_tokenizer=pre_tokenizers.WhitespaceSplit()),
    "metaspace": lambda: wordpiece(pre_tokenizer=pre_tokenizers.Metaspace()),
    "with marks": lambda: wordpiece(
        pre_tokenizer=pre_tokenizers.BertPreTokenizer(),
        post_processor=processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        ),
    ),
    "replacing": lambda: wordpiece(
        normalizer=normalizers.Replace("a b", "dad"), pre_tokenizer=pre_tokenizers.BertPreTokenizer()
    ),
}


@pytest.fixture(scope="module", params=SPLITTERS.values(), ids=SPLITTERS)
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    made: Tokenizer = request.param()
    return made


@given(
    text=st.text(alphabet="abcdAB[]<\x7f\u00c9\u00e9e\u0301.-x \t\n\u00a0\u200b\u0085\x1c\u0130\u03a3日", max_size=40)
)
def test_ids_are_the_tokenizers_own_the_first_and_the_second_time(tokenizer: Tokenizer, text: str) -> None:
    tokens = load_tokens(tokenizer.to_str().encode(), "it", max_tokens=12, vocabulary=100)
    expected = tokenizer.encode(text).ids[:12] if tokenizer.post_processor is None else _truncated(tokenizer, text)
    if not text or text.isspace() or not expected:
        with pytest.raises(MediaError, match="empty text"):
            tokens.ids(text)
        return
    assert tokens.ids(text) == tuple(expected)
    assert tokens.ids(text) == tuple(expected)


def _truncated(tokenizer: Tokenizer, text: str) -> list[int]:
    cutting = Tokenizer.from_str(tokenizer.to_str())
    cutting.enable_truncation(12)
    ids: list[int] = cutting.encode(text).ids
    return ids


def test_the_memory_of_words_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST_KNOWN >= 100_000
    monkeypatch.setattr("simsearch.encoders.tokens.MOST_KNOWN", 2)
    tokens = load_tokens(SPLITTERS["bert"]().to_str().encode(), "it", max_tokens=9, vocabulary=100)
    known = tokens._known
    assert known is not None
    for _ in range(2):
        assert tokens.ids("ab dad cab " + "b" * 41) == (16, 18, 6, 11, 12, 5, *[12] * 3)
    assert sorted(known) == ["ab", "dad"]


def test_what_looks_like_a_special_token_is_text(tiny_text: Path) -> None:
    prepared = opened(tiny_text).prepare("<pad>")
    assert [VOCABULARY[token] for token in prepared.ids] == ["<", "p", "ad", ">"]


def test_a_long_text_is_its_beginning(tiny_text: Path) -> None:
    encoder = opened(tiny_text)
    beginning = "word " * 40
    vectors = encoder.encode([beginning, beginning + "other " * 1_000_000])
    assert len(encoder.prepare(beginning).ids) == MAX_TOKENS
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-6)


# -- what is refused -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", " ", "\n\t \u00a0", b"", b"  "])
def test_an_empty_text_has_no_vector(tiny_text: Path, text: str | bytes) -> None:
    with pytest.raises(MediaError, match=r"^empty text$"):
        opened(tiny_text).prepare(text)
    with pytest.raises(MediaError, match=r"^row 1: empty text$"):
        opened(tiny_text).encode(["a", text])


def test_what_is_no_text_is_refused(tiny_text: Path, tmp_path: Path) -> None:
    encoder = opened(tiny_text)
    with pytest.raises(MediaError, match=r"^not UTF-8 text: byte 0xff at 2$"):
        encoder.prepare(b"ab\xff")
    with pytest.raises(MediaError, match=r"U\+DC80 is half of a surrogate pair"):
        encoder.prepare("ab \udc80")
    with pytest.raises(UsageError, match=r"an array of uint8 with shape .* is not a text; give a str"):
        encoder.prepare(np.zeros((2, 2), dtype=np.uint8))
    with pytest.raises(MediaError, match=r"missing\.txt: "):
        encoder.encode([tmp_path / "missing.txt"])


def test_a_vector_without_direction_is_refused(copy: Path) -> None:
    encoder = opened(make_text_encoder(copy.parent / "zero"))
    encoder.__dict__["_session"] = _Constant(np.zeros((2, TEXT_DIM), dtype=np.float32))
    with pytest.raises(VectorError, match=r"^row 0: encoder 'zero' gave a vector of length 0, not 1"):
        encoder.encode(["a", "b"])


class _Constant:
    def __init__(self, answer: NDArray[np.float32]) -> None:
        self.answer = answer

    def run(self, _: None, inputs: dict[str, NDArray[np.int64]]) -> list[NDArray[np.float32]]:
        assert inputs["ids"].shape[0] == len(self.answer)
        return [self.answer]


# -- the folder ----------------------------------------------------------------------------------------------------


def test_the_modality_chooses_the_class(tiny_text: Path, tiny: Path) -> None:
    assert isinstance(open_encoder(tiny_text), OnnxTextEncoder)
    assert isinstance(open_encoder(tiny), OnnxEncoder)


@pytest.mark.parametrize("name", ["photo", "glyph"])
def test_the_image_encoders_that_ship_open_as_they_are(name: str) -> None:
    stored = json.loads((encoder_folder(name) / CONFIG_NAME).read_text(encoding="utf-8"))
    encoder = open_encoder(name)
    assert (encoder.modality, encoder.fingerprint) == ("image", stored["fingerprint"])


def test_a_description_holds_the_fields_of_its_modality(tiny_text: Path, tiny: Path) -> None:
    text, image = (json.loads((folder / CONFIG_NAME).read_text()) for folder in (tiny_text, tiny))
    assert set(text) ^ set(image) == {"width", "height", "channels", "fit", "max_tokens", "vocabulary", "codes"}
    assert set(text["files"]) - set(image["files"]) == {TOKENIZER_NAME}
    assert (text["max_tokens"], text["vocabulary"]) == (MAX_TOKENS, len(VOCABULARY))
    assert read_config(tiny_text).sealed(tiny_text) == read_config(tiny_text)


def test_the_fingerprint_follows_from_network_and_tokenizer_not_from_the_weights_to_train_on(copy: Path) -> None:
    before = read_config(copy)
    (copy / WEIGHTS_NAME).write_bytes(b"other")
    assert before.sealed(copy).fingerprint == before.fingerprint
    for name in (ONNX_NAME, TOKENIZER_NAME):
        changed = before.sealed(copy).fingerprint
        (copy / name).write_bytes((copy / name).read_bytes() + b" ")
        assert before.sealed(copy).fingerprint != changed


@pytest.mark.parametrize("field", ["max_tokens", "vocabulary"])
def test_an_edited_number_is_found(copy: Path, field: str) -> None:
    document = json.loads((copy / CONFIG_NAME).read_text())
    document[field] += 1
    (copy / CONFIG_NAME).write_text(json.dumps(document))
    with pytest.raises(EncoderError, match=r"fingerprint .* the file was edited"):
        read_config(copy)
    del document[field]
    (copy / CONFIG_NAME).write_text(json.dumps(document))
    with pytest.raises(EncoderError, match=f"not a valid encoder description: .{field}. is missing"):
        read_config(copy)


def test_an_unknown_modality_is_refused(copy: Path) -> None:
    document = json.loads((copy / CONFIG_NAME).read_text())
    (copy / CONFIG_NAME).write_text(json.dumps(document | {"modality": "sound"}))
    with pytest.raises(EncoderError, match="modality 'sound', but there are image, text"):
        read_config(copy)


def test_a_tokenizer_from_elsewhere_is_refused(copy: Path) -> None:
    path = copy / TOKENIZER_NAME
    path.write_bytes(path.read_bytes().replace(b'"ab": ', b'"aB": '))
    with pytest.raises(EncoderError, match=r"tokenizer\.json: the checksum differs from encoder\.json"):
        opened(copy).prepare("a text")


def resealed(folder: Path, content: bytes) -> OnnxTextEncoder:
    (folder / TOKENIZER_NAME).write_bytes(content)
    write_config(folder, read_config(folder).sealed(folder))
    return opened(folder)


def test_a_tokenizer_with_more_tokens_than_the_network_is_refused(copy: Path) -> None:
    tokenizer = Tokenizer.from_file(str(copy / TOKENIZER_NAME))
    tokenizer.add_tokens(["extra", "token"])
    encoder = resealed(copy, tokenizer.to_str().encode())
    wanted = rf"has {len(VOCABULARY) + 2} tokens, but the network has {len(VOCABULARY)}: it belongs to another"
    with pytest.raises(EncoderError, match=wanted):
        encoder.prepare("a text")


def test_a_tokenizer_whose_first_token_is_a_word_is_refused(copy: Path) -> None:
    words = Tokenizer(models.WordLevel({"the": 0, "cat": 1}, unk_token="the"))
    with pytest.raises(EncoderError, match="token 0 is 'the', but the network uses 0 for padding"):
        resealed(copy, words.to_str().encode()).prepare("a text")


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b"no json"])
def test_a_file_that_is_no_tokenizer_is_refused(copy: Path, content: bytes) -> None:
    with pytest.raises(EncoderError, match=r"tokenizer\.json: not a tokenizer: "):
        resealed(copy, content).prepare("a text")


def test_a_network_with_fewer_rows_than_its_description_says_is_an_encoder_error(copy: Path) -> None:
    words = Tokenizer(models.WordLevel({"<pad>": 0, "far": len(VOCABULARY) + 5}, unk_token="far"))
    config = read_config(copy)
    (copy / TOKENIZER_NAME).write_bytes(words.to_str().encode())
    object.__setattr__(config, "vocabulary", len(VOCABULARY) + 9)
    write_config(copy, config.sealed(copy))
    with pytest.raises(EncoderError, match=r"encoder\.onnx does not match its description"):
        opened(copy).encode(["far"])


# -- codes ---------------------------------------------------------------------------------------------------------


def coded(codes: int = 1000) -> Callable[[str], tuple[int, ...]]:
    pieces = ["<pad>", "[UNK]", *"dsc-w120./", *[f"##{c}" for c in "dscw120"], "120", "red"]
    tokenizer = Tokenizer(models.WordPiece({piece: n for n, piece in enumerate(pieces)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return load_tokens(tokenizer.to_str().encode(), "it", max_tokens=99, vocabulary=30 + codes, codes=codes).ids


def test_a_word_with_digits_counts_as_a_whole_too() -> None:
    ids = coded()
    whole = 30 + zlib.crc32(b"dscw120") % 1000
    for text in ("dsc-w120", "DSC-W120", "DSCW120", "(dsc.w120)", "dsc/w120,"):
        assert [token for token in ids(text) if token >= 30] == [whole], text
    assert ids("red dsc-w120 red")[-2:] == (whole, ids("red")[0])
    assert max(ids("120 red 120. red")) < 30, "a number that is one token needs no other"
    assert max(ids("dsc-w")) < 30, "a word without a digit is no code"
    assert ids("dsc-w120")[:-1] == coded(1)("dsc-w120")[:-1]
    assert coded(1)("dsc-w120")[-1] == 30


def test_codes_need_room_and_words(tiny_text: Path) -> None:
    content = (tiny_text / TOKENIZER_NAME).read_bytes()
    size = len(VOCABULARY)
    load_tokens(content, "it", max_tokens=9, vocabulary=size + 4, codes=4)
    with pytest.raises(EncoderError, match=f"it has {size} tokens, but the network has {size - 1}"):
        load_tokens(content, "it", max_tokens=9, vocabulary=size + 3, codes=4)
    joined = SPLITTERS["metaspace"]().to_str().encode()
    with pytest.raises(EncoderError, match=r"does not tokenize each word separately, so codes \(4 ids\) are undefined"):
        load_tokens(joined, "it", max_tokens=9, vocabulary=100, codes=4)
