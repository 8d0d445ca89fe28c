"""Loading of pretrained models by their own libraries."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from simsearch.encoders.pretrained_folder import first_module
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from simsearch.encoders.pretrained_folder import PretrainedFolder

FAILURES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, IndexError)
"""The exceptions that the libraries raise for a folder that they cannot load."""


class VisionTower(nn.Module):
    """Features (n, dim) of normalized images (n, 3, h, w), not of unit length.

    They are the pooled output of the model, or its class token if it has none.
    """

    def __init__(self, model: nn.Module, *, shared: bool, pooled: bool) -> None:
        super().__init__()
        self.model = model
        self.shared = shared
        self.pooled = pooled

    def forward(self, images: Tensor) -> Tensor:
        if self.shared:
            features: Tensor = self.model.get_image_features(pixel_values=images).pooler_output  # type: ignore[operator]
            return features
        output = self.model(pixel_values=images)
        features = output.pooler_output if self.pooled else output.last_hidden_state[:, 0]
        return features.flatten(1)


@contextlib.contextmanager
def loading(folder: PretrainedFolder) -> Iterator[None]:
    """Converts exceptions of the libraries to an EncoderError of one line, and silences their output."""
    from safetensors import SafetensorError
    from transformers.utils import logging as voices

    verbosity, bars = voices.get_verbosity(), voices.is_progress_bar_enabled()
    sentences = logging.getLogger("sentence_transformers")
    level = sentences.level
    voices.set_verbosity(logging.CRITICAL)
    voices.disable_progress_bar()  # type: ignore[no-untyped-call]
    sentences.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except (*FAILURES, SafetensorError) as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        raise EncoderError(f"{folder.name}: transformers cannot load it: {lines[0]:.200}") from error
    finally:
        voices.set_verbosity(verbosity)
        sentences.setLevel(level)
        if bars:
            voices.enable_progress_bar()  # type: ignore[no-untyped-call]


def load_vision(folder: PretrainedFolder) -> VisionTower:
    """The model of a folder in evaluation mode. Raises EncoderError when weights are missing."""
    model, missing = _model(folder)
    shared = folder.has_words
    if shared and not (hasattr(model, "get_image_features") and hasattr(model, "get_text_features")):
        raise EncoderError(f"{folder.name}: {type(model).__name__} has no embeddings of images and of texts")
    pooled = True
    if missing and all(key.startswith("pooler.") for key in missing):
        # A classification model has no pooler; the library would initialize one randomly.
        model.pooler = None  # type: ignore[assignment]
        pooled, missing = False, set()
    _check_missing(folder, missing)
    return VisionTower(model, shared=shared, pooled=pooled).eval()


def _model(folder: PretrainedFolder) -> tuple[nn.Module, set[str]]:
    """The model in float32, and the names of the weights that are missing in its files."""
    with loading(folder):
        from transformers import AutoModel

        model, found = AutoModel.from_pretrained(
            folder.path,
            local_files_only=True,
            use_safetensors=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    return model, set(found["missing_keys"])


def _check_missing(folder: PretrainedFolder, missing: set[str]) -> None:
    if missing:
        raise EncoderError(
            f"{folder.name}: its weights do not match its configuration: {len(missing)} are missing, the first is "
            f"{min(missing)}"
        )


@dataclass(frozen=True, slots=True)
class WordsReader:
    """The tokenization for a text tower."""

    tokenizer: Any
    max_tokens: int
    fixed: bool
    """Whether every text is padded to `max_tokens`."""
    masked: bool
    """Whether the tower takes an attention mask."""


def load_words(folder: PretrainedFolder) -> WordsReader:
    """The tokenization for a text tower. Raises EncoderError."""
    with loading(folder):
        from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

        options: Any = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder.path, **options)
        try:
            tokenizer = AutoTokenizer.from_pretrained(folder.path, **options)
        except ImportError:
            # The slow tokenizer may need a library that is not installed; the fast one is equivalent.
            if not (folder.path / "tokenizer.json").is_file():
                raise
            tokenizer = PreTrainedTokenizerFast.from_pretrained(folder.path, **options)
        # SigLIP was trained on texts padded to the full length (Zhai et al. 2023).
        return WordsReader(
            tokenizer,
            int(config.text_config.max_position_embeddings),
            "siglip" in config.model_type,
            "attention_mask" in tokenizer.model_input_names,
        )


def load_sentences(folder: PretrainedFolder) -> SentenceTransformer:
    """The text model of a folder in evaluation mode. Raises EncoderError when weights are missing."""
    with loading(folder):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(
            str(folder.path),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )
        network = getattr(model[0], "auto_model", None)
        if network is not None:
            # The library only logs missing weights and initializes them randomly. On the meta device, loading is cheap.
            _, found = type(network).from_pretrained(
                folder.path,
                subfolder=first_module(folder.path),
                local_files_only=True,
                use_safetensors=True,
                trust_remote_code=False,
                device_map="meta",
                output_loading_info=True,
            )
            _check_missing(folder, {key for key in found["missing_keys"] if not key.startswith("pooler.")})
    return model.eval()
