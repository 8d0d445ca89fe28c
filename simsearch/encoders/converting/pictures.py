"""Conversion of vision models, and of models with an image and a text tower."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from simsearch.encoders.converting.loading import VisionTower, WordsReader, load_vision, load_words, loading
from simsearch.encoders.converting.networks import Pictures, Unit, Words
from simsearch.encoders.converting.parity import agreed, check_cosine, lowest_cosine
from simsearch.encoders.converting.processors import Pixels, load_pixels, pixel_spec
from simsearch.encoders.converting.samples import TEXTS, noise, pictures
from simsearch.encoders.converting.tokenizing import cutting, fast_tokenizer, tokenizer_json
from simsearch.encoders.converting.towers import Tower, embedded, figures, tower
from simsearch.encoders.folder import ONNX_NAME, WORDS_NAME, WORDS_TOKENIZER_NAME, EncoderConfig, WordsConfig
from simsearch.encoders.text import padded
from simsearch.encoders.tokens import load_tokens
from simsearch.manifest import write_atomically
from simsearch.media.images import PixelSpec, from_array

if TYPE_CHECKING:
    from pathlib import Path

    from simsearch.encoders.pretrained_folder import PretrainedFolder
    from simsearch.types import Vectors

SAMPLE = 6
"""Images on which torch and ONNX Runtime are compared."""


def convert_pictures(source: PretrainedFolder, made: Path, config: EncoderConfig, bits: int) -> EncoderConfig:
    """Writes the image tower, and if there is one the text tower with its tokenizer, into the folder `made`; returns
    `config` with their fields.

    Raises EncoderError for a model that cannot be converted.
    """
    vision, pixels = load_vision(source), load_pixels(source)
    spec, levels = pixel_spec(pixels, source.name)
    towers: dict[str, Tower] = {}
    words = None
    if source.has_words:
        towers["words"], words = _words(source, vision, made, bits)
    network = Unit(Pictures(vision, pixels)).eval()
    kind = type(getattr(vision.model, "vision_model", vision.model)).__name__
    towers["pictures"] = tower(
        "pictures",
        network,
        noise(spec.width, spec.height, 3, SAMPLE),
        bits,
        kind=kind,
    )
    write_atomically(made / ONNX_NAME, towers["pictures"].content)
    fits: Any = {
        "processor_levels": round(levels, 4),
        "processor_cosine": round(_processor_cosine(towers["pictures"].content, pixels, spec), 6),
    }
    return replace(
        config,
        modality="image",
        dim=towers["pictures"].dim,
        width=spec.width,
        height=spec.height,
        channels=3,
        fit=spec.fit,
        resample=spec.resample,
        zoom=spec.zoom,
        words=words,
        layers=tuple(each.layer for each in towers.values()),
        figures={**figures(towers), **fits},
    ).sealed(made)


def _processor_cosine(content: bytes, pixels: Pixels, spec: PixelSpec) -> float:
    """The lowest cosine between the embeddings of an image preprocessed by the model's own processor and by `spec`."""
    given = pictures(spec.width, spec.height)
    theirs = np.ascontiguousarray(np.stack([pixels.fitted(each) for each in given]))
    return lowest_cosine(
        embedded(content, theirs), embedded(content, np.stack([from_array(each, spec).pixels for each in given]))
    )


def _words(source: PretrainedFolder, vision: VisionTower, made: Path, bits: int) -> tuple[Tower, WordsConfig]:
    """The text tower, written to `made`; its embeddings must equal those of the library."""
    given = load_words(source)
    model: Any = vision.model
    rows = int(model.text_model.get_input_embeddings().num_embeddings)
    cut = cutting(tokenizer_json(fast_tokenizer(given.tokenizer, source)), rows=rows, pad=given.tokenizer.pad_token_id)
    words = WordsConfig(given.max_tokens, cut.vocabulary, padding=cut.padding, fixed_length=given.fixed)
    tokens = load_tokens(
        cut.content, source.name, max_tokens=words.max_tokens, vocabulary=words.vocabulary, padding=words.padding
    )
    ids = padded([tokens.ids(text) for text in TEXTS], words.padding, words.max_tokens if given.fixed else 0)
    network = Unit(Words(model, padding=cut.padding, filler=cut.filler, masked=given.masked)).eval()
    kind = type(model.text_model).__name__
    found = tower("words", network, ids, bits, kind=kind, longest=words.max_tokens, fixed=given.fixed)
    ours, library = embedded(found.content, ids), _library(source, model, given)
    if bits == 8:
        check_cosine(lowest_cosine(library, ours), bits)
    else:
        agreed(library, ours, f"the words of {source.name} by its library and by the converted file")
    write_atomically(made / WORDS_NAME, found.content)
    write_atomically(made / WORDS_TOKENIZER_NAME, cut.content)
    return found, words


def _library(source: PretrainedFolder, model: Any, given: WordsReader) -> Vectors:
    """The normalized embeddings of the sample texts by the library itself."""
    with loading(source), torch.inference_mode():
        ids = given.tokenizer(
            list(TEXTS),
            padding="max_length" if given.fixed else True,
            truncation=True,
            max_length=given.max_tokens,
            return_tensors="pt",
        )
        found = torch.nn.functional.normalize(model.get_text_features(**ids).pooler_output, dim=1)
    vectors: Vectors = found.numpy()
    return vectors
