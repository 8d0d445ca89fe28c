"""Conversion of an ONNX file of a text model."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encoders.converting.graphs.files import Input, named, output_of, run_original
from simsearch.encoders.converting.graphs.storage import Around, pooled, stored
from simsearch.encoders.converting.graphs.surgery import Surgery, embeddings_behind, ids_before
from simsearch.encoders.converting.samples import TEXTS
from simsearch.encoders.converting.tokenizing import TOKENIZER, Cutting, cutting, tokenizer_json
from simsearch.encoders.folder import ONNX_NAME, TOKENIZER_NAME, EncoderConfig
from simsearch.encoders.text import padded
from simsearch.encoders.tokens import PADDING, load_tokens
from simsearch.errors import EncoderError, UsageError
from simsearch.manifest import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.encoders.converting.graphs.options import OnnxOptions
    from simsearch.types import Ids

IDS = "input_ids"
KNOWN = (IDS, "attention_mask", "token_type_ids")
"""The inputs of text models: token ids, attention mask, and token types (0)."""
WHOLE = {6: np.int32, 7: np.int64}
"""The supported data types of the inputs, by their ONNX codes."""
ANY = 1 << 31
"""More token ids than any tokenizer has."""
MOST_TOKENS = 1 << 15
EXTRA = ("tokenizer", "max_tokens", "output", "pooling")
"""The options that apply to text models."""


def is_text_model(given: list[Input]) -> bool:
    return any(each.name == IDS for each in given)


def convert_onnx_texts(
    path: Path, model: Any, given: list[Input], made: Path, config: EncoderConfig, options: OnnxOptions, bits: int
) -> EncoderConfig:
    """Writes network and tokenizer into the folder `made`; returns `config` with their fields. Raises
    EncoderError, and UsageError for options that do not fit the file."""
    _check(given, options, path)
    output = output_of(model, options.output, path)
    cut, max_tokens = _cut(path, model, options)
    tokens = load_tokens(cut.content, str(path), max_tokens=max_tokens, vocabulary=cut.vocabulary, padding=cut.padding)
    longest = " ".join(TEXTS * (1 + max_tokens // len(TEXTS)))
    ids = padded([tokens.ids(text) for text in (*TEXTS[:6], longest)], cut.padding)
    taken, mask = _prepared(ids, given, cut), ids != cut.padding
    rank = run_original(model, {name: rows[:1] for name, rows in taken.items()}, output, path, one_by_one=True).ndim

    def original(changed: Any) -> NDArray[np.float32]:
        return pooled(run_original(changed, taken, output, path, one_by_one=False), options.pooling, mask, path, output)

    operated = partial(_operated, {each.name: each.kind for each in given}, cut, output, rank, options.pooling)
    found = stored(model, Around(path, original, operated, "ids", ids), bits)
    write_atomically(made / ONNX_NAME, found.content)
    write_atomically(made / TOKENIZER_NAME, cut.content)
    return replace(
        config,
        modality="text",
        dim=found.dim,
        max_tokens=max_tokens,
        vocabulary=cut.vocabulary,
        padding=cut.padding,
        layers=(found.layer,),
        figures=found.figures,
    ).sealed(made)


def _check(given: list[Input], options: OnnxOptions, path: Path) -> None:
    unknown = [each for each in given if each.name not in KNOWN or each.kind not in WHOLE or len(each.shape) != 2]
    if unknown:
        raise EncoderError(
            f"{path} takes {named(unknown)}; a text model takes {', '.join(KNOWN)} as integers (n, length)"
        )
    for each in given:
        if each.shape[1] is not None:
            raise EncoderError(
                f"{path}: its input {each} takes texts of exactly {each.shape[1]} tokens; export it again with a "
                "length of any size (a dynamic axis)"
            )
    idle = [name for name in options.given() if name not in EXTRA]
    if idle:
        raise UsageError(f"{path} is a text model, to which --{idle[0].replace('_', '-')} does not apply")


def _cut(path: Path, model: Any, options: OnnxOptions) -> tuple[Cutting, int]:
    """The tokenizer, and the maximum number of tokens of a text."""
    place = options.tokenizer or path.with_name(TOKENIZER)
    try:
        text = place.read_text(encoding="utf-8")
        document = json.loads(text)
        given = document.get("truncation") or {}
        added = {token["content"]: int(token["id"]) for token in document.get("added_tokens", ())}
    except OSError as error:
        raise EncoderError(
            f"{path} takes token ids, and {place} cannot be read ({error.strerror or error}): give the tokenizer of "
            "the model: --tokenizer tokenizer.json"
        ) from error
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        raise EncoderError(f"{place} is not a tokenizer.json ({type(error).__name__}: {error})") from error
    most = options.max_tokens or given.get("max_length")
    if not isinstance(most, int) or not 1 <= most <= MOST_TOKENS:
        limit = f"allows {most} tokens in a text" if most else "has no maximum number of tokens"
        raise UsageError(f"{place} {limit}; give one, up to {MOST_TOKENS:,}: --max-tokens 256")
    content = tokenizer_json(text)
    load_tokens(content, str(place), max_tokens=most, vocabulary=ANY, padding=ANY - 1)
    pad = next((added[name] for name in PADDING if name in added), None)
    return cutting(content, rows=_rows(model, content), pad=pad), most


def _rows(model: Any, content: bytes) -> int:
    """The vocabulary size of the network: the rows of its embedding table, or without one that of the tokenizer."""
    from tokenizers import Tokenizer

    tables = {tensor.name: tensor.dims[0] for tensor in model.graph.initializer if tensor.dims}
    found = [
        tables[node.input[0]]
        for node in model.graph.node
        if node.op_type == "Gather" and node.input[1] == IDS and node.input[0] in tables
    ]
    return int(found[0]) if found else int(Tokenizer.from_buffer(content).get_vocab_size())


def _prepared(ids: Ids, given: list[Input], cut: Cutting) -> dict[str, NDArray[Any]]:
    """The token ids as inputs of the unchanged file."""
    none = ids == cut.padding
    values = {IDS: np.where(none, cut.filler, ids), "attention_mask": ~none, "token_type_ids": np.zeros_like(ids)}
    return {each.name: values[each.name].astype(WHOLE[each.kind]) for each in given}


def _operated(targets: dict[str, int], cut: Cutting, output: str, rank: int, pooling: str | None, model: Any) -> Any:
    from onnx import TensorProto

    surgery = Surgery(model)
    mask = ids_before(surgery, targets, cut.padding, cut.filler)
    embeddings_behind(surgery, output, rank=rank, pooling=pooling, mask=mask)
    return surgery.finished("ids", TensorProto.INT64, ["batch", "length"])
