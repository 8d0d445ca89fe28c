"""Conversion of sentence-transformers models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from simsearch.encoders.converting.exporting import round_large
from simsearch.encoders.converting.loading import load_sentences, loading
from simsearch.encoders.converting.networks import SentenceTrunk, StaticTrunk, Unit
from simsearch.encoders.converting.parity import agreed, check_cosine, lowest_cosine
from simsearch.encoders.converting.samples import TEXTS
from simsearch.encoders.converting.tokenizing import Cutting, cutting, fast_tokenizer, tokenizer_json
from simsearch.encoders.converting.towers import figures, tower
from simsearch.encoders.folder import ONNX_NAME, TOKENIZER_NAME
from simsearch.encoders.text import OnnxTextEncoder, PreparedText, padded
from simsearch.encoders.tokens import load_tokens
from simsearch.errors import EncoderError
from simsearch.manifest import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from sentence_transformers import SentenceTransformer

    from simsearch.encoders.folder import EncoderConfig
    from simsearch.encoders.pretrained_folder import PretrainedFolder

LONGEST = 512
"""Maximum number of tokens of a text, if a model has no limit."""
MOST_TOKENS = 8 * LONGEST


def convert_sentences(source: PretrainedFolder, made: Path, config: EncoderConfig, bits: int) -> EncoderConfig:
    """Writes network and tokenizer into the folder `made`; returns `config` with their fields.

    Raises EncoderError for a model that cannot be converted, or whose embeddings differ from those of its library.
    """
    model = load_sentences(source)
    trunk, cut, max_tokens = _parts(model, source)
    tokens = load_tokens(
        cut.content, source.name, max_tokens=max_tokens, vocabulary=cut.vocabulary, padding=cut.padding
    )
    ids = padded([tokens.ids(text) for text in TEXTS], cut.padding)
    network = Unit(trunk).eval()
    found = tower("texts", network, ids, bits, kind=_kind(model), longest=max_tokens)
    write_atomically(made / ONNX_NAME, found.content)
    write_atomically(made / TOKENIZER_NAME, cut.content)
    config = replace(
        config,
        modality="text",
        dim=found.dim,
        max_tokens=max_tokens,
        vocabulary=cut.vocabulary,
        padding=cut.padding,
        layers=(found.layer,),
        figures=figures({"texts": found}),
    ).sealed(made)
    if bits == 16:
        # Static embeddings are copied into the network, so that the library's were not rounded with it.
        round_large(model)
    with loading(source):
        library = model.encode(list(TEXTS), normalize_embeddings=True, show_progress_bar=False)
    ours = OnnxTextEncoder(made, config).embed([PreparedText(text, tokens.ids(text)) for text in TEXTS])
    if bits == 8:
        check_cosine(lowest_cosine(library, ours), bits)
    else:
        agreed(library, ours, f"the texts of {source.name} by its library and by the converted file")
    return config


def _parts(model: SentenceTransformer, source: PretrainedFolder) -> tuple[nn.Module, Cutting, int]:
    """The network, its tokenizer, and the maximum number of tokens of a text."""
    parts: list[Any] = list(model)
    first, *others = parts
    after = [module for module in others if type(module).__name__ not in ("Normalize", "Dropout")]
    prompt = _prompt(model, after, source)
    if type(first).__name__ == "StaticEmbedding":
        table = first.embedding.weight.detach()
        content = tokenizer_json(first.tokenizer.to_str(), prompt=prompt, bare=True)
        return StaticTrunk(table, after), Cutting(content, len(table) + 1, len(table), 0), MOST_TOKENS
    reader = getattr(first, "auto_model", None)
    if reader is None:
        raise EncoderError(f"{source.name}: {type(first).__name__} is not a text model that can be converted")
    if getattr(reader, "pooler", None) is not None:
        reader.pooler = None
    reader.config.use_cache = False
    text = fast_tokenizer(model.tokenizer, source)
    content = tokenizer_json(text, lower=bool(getattr(first, "do_lower_case", False)), prompt=prompt)
    rows = int(reader.get_input_embeddings().num_embeddings)
    cut = cutting(content, rows=rows, pad=_pad(model))
    trunk = SentenceTrunk(reader, after, padding=cut.padding, filler=cut.filler)
    return trunk, cut, longest(model)


def _kind(model: SentenceTransformer) -> str:
    first: Any = model[0]
    return type(getattr(first, "auto_model", first)).__name__


def _pad(model: SentenceTransformer) -> int | None:
    pad: Any = getattr(model.tokenizer, "pad_token_id", None)
    return None if pad is None else int(pad)


def _prompt(model: SentenceTransformer, after: list[nn.Module], source: PretrainedFolder) -> str:
    """The prompt that the model puts before each text."""
    name = model.default_prompt_name
    prompt = model.prompts.get(name, "") if name is not None else ""
    if prompt and not all(getattr(module, "include_prompt", True) for module in after):
        raise EncoderError(
            f"{source.name} excludes its prompt {prompt!r} from mean pooling, which an encoder folder cannot represent"
        )
    return prompt or ""


def longest(model: SentenceTransformer) -> int:
    """The maximum number of tokens of a text that the model takes."""
    found: Any = model.max_seq_length
    return min(int(found) if found and np.isfinite(found) else LONGEST, MOST_TOKENS)
