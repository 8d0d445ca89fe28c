"""The networks of pretrained models, loaded by their own libraries: numbers in, features out."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from simsearch.encoders.pretrained_folder import first_module
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sentence_transformers import SentenceTransformer

    from simsearch.encoders.pretrained_folder import PretrainedFolder

FAILURES = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, IndexError)
"""What the libraries raise for a folder that they cannot load."""
PROBES = ((97, 64), (50, 131))


class VisionTower(nn.Module):
    """Features (n, dim) of normalized pictures (n, 3, h, w), not of unit length.

    They are what the model itself pools, or its class token where it pools nothing.
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


@dataclass(frozen=True, slots=True)
class Pixels:
    """How a picture becomes the network's numbers: the model's own processor fits it, then mean and deviation of each
    channel (for pixels in [0, 1]) normalize it."""

    processor: Any
    width: int
    height: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def fitted(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Pixels (h, w, 3) of a picture as uint8 (height, width, 3). Safe in threads."""
        if getattr(self.processor, "do_center_crop", False):
            pixels = _middle(pixels)
        return _processed(self.processor, pixels, raw=True).transpose(1, 2, 0)

    def normalized(self, pixels: Tensor) -> Tensor:
        """uint8 (n, height, width, 3) as float32 (n, 3, height, width)."""
        mean, std = (torch.tensor(each, device=pixels.device).view(1, -1, 1, 1) for each in (self.mean, self.std))
        return (pixels.permute(0, 3, 1, 2).to(torch.float32) / 255.0 - mean) / std


def device() -> torch.device:
    """The accelerator that torch sees, or the processor."""
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    return accelerator or torch.device("cpu")


@contextlib.contextmanager
def loading(folder: PretrainedFolder) -> Iterator[None]:
    """Turns what the libraries raise inside into an EncoderError of one line; they print nothing meanwhile."""
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
        raise EncoderError(f"{folder.name}: {type(model).__name__} gives no vectors of pictures and of words")
    pooled = True
    if missing and all(key.startswith("pooler.") for key in missing):
        # A model that was trained to tell classes has no pooler; the library would make one of random numbers.
        model.pooler = None  # type: ignore[assignment]
        pooled, missing = False, set()
    _check_missing(folder, missing)
    return VisionTower(model, shared=shared, pooled=pooled).eval()


def _model(folder: PretrainedFolder) -> tuple[nn.Module, set[str]]:
    """The model as 32-bit numbers, and the names of the weights that its files lack."""
    with loading(folder):
        from transformers import AutoModel

        model, found = AutoModel.from_pretrained(
            folder.path, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
    return model, set(found["missing_keys"])


def _check_missing(folder: PretrainedFolder, missing: set[str]) -> None:
    if missing:
        raise EncoderError(
            f"{folder.name}: its weights do not match its configuration: {len(missing)} are missing, the first is "
            f"{min(missing)}"
        )


def load_pixels(folder: PretrainedFolder) -> Pixels:
    """The processor of a folder. Raises EncoderError for one whose pictures differ in size, or that does more."""
    with loading(folder):
        from transformers import AutoImageProcessor

        # Always Pillow: whether torchvision is installed must not change the vectors.
        processor: Any = AutoImageProcessor.from_pretrained(  # type: ignore[no-untyped-call]
            folder.path, backend="pil", local_files_only=True, trust_remote_code=False
        )
        probes = [np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8) for size in PROBES]
        raw = [_processed(processor, probe, raw=True) for probe in probes]
        wanted = [_processed(processor, probe, raw=False) for probe in probes]
        scale = processor.rescale_factor * 255.0 if processor.do_rescale else 255.0
        mean = np.array(processor.image_mean if processor.do_normalize else [0.0] * 3, dtype=np.float64) / scale
        std = np.array(processor.image_std if processor.do_normalize else [1.0] * 3, dtype=np.float64) / scale
    shapes = {(each.shape, each.dtype) for each in raw}
    if len(shapes) != 1 or raw[0].dtype != np.uint8 or raw[0].ndim != 3 or len(raw[0]) != 3:
        raise EncoderError(f"{folder.name}: its pictures have no fixed size ({raw[0].shape}, {raw[1].shape})")
    pixels = Pixels(processor, raw[0].shape[2], raw[0].shape[1], tuple(mean.tolist()), tuple(std.tolist()))
    given = torch.from_numpy(np.stack(raw)).permute(0, 2, 3, 1)
    if not np.allclose(pixels.normalized(given).numpy(), np.stack(wanted), atol=1e-4):
        raise EncoderError(f"{folder.name}: its processor does more than to fit and normalize pictures")
    return pixels


def _processed(processor: Any, pixels: NDArray[np.uint8], *, raw: bool) -> NDArray[Any]:
    """One picture through the processor, shape (3, h, w); `raw` leaves out scaling and normalizing."""
    options = {"do_rescale": False, "do_normalize": False} if raw else {}
    found = processor(images=pixels, return_tensors="np", input_data_format="channels_last", **options)
    first: NDArray[Any] = found["pixel_values"][0]
    return first


def _middle(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The middle of a picture that is more than 8 times as long as wide.

    The processor would enlarge all of it, until its short side fits, and then keep the middle: gigabytes for a line.
    """
    height, width = pixels.shape[:2]
    longest = 8 * min(height, width)
    top, left = max(0, height - longest) // 2, max(0, width - longest) // 2
    return pixels[top : height - top, left : width - left]


def load_words(folder: PretrainedFolder) -> tuple[Any, int, str | bool]:
    """The tokenizer of a text tower, the length that it cuts at, and how shorter texts are padded."""
    with loading(folder):
        from transformers import AutoConfig, AutoTokenizer

        options = {"local_files_only": True, "trust_remote_code": False}
        config = AutoConfig.from_pretrained(folder.path, **options)
        tokenizer = AutoTokenizer.from_pretrained(folder.path, **options)
        # SigLIP was trained on texts padded to the full length, and without a mask (Zhai et al. 2023).
        padding = "max_length" if "siglip" in config.model_type else True
        return tokenizer, int(config.text_config.max_position_embeddings), padding


def load_sentences(folder: PretrainedFolder) -> SentenceTransformer:
    """The text model of a folder in evaluation mode. Raises EncoderError when weights are missing."""
    with loading(folder):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(
            str(folder.path), device=str(device()), local_files_only=True, trust_remote_code=False,
            model_kwargs={"use_safetensors": True, "dtype": torch.float32},
        )  # fmt: skip
        network = getattr(model[0], "auto_model", None)
        if network is not None:
            # The library only logs what is missing and goes on with random numbers. Without numbers, loading is cheap.
            _, found = type(network).from_pretrained(
                folder.path, subfolder=first_module(folder.path), local_files_only=True, use_safetensors=True,
                trust_remote_code=False, device_map="meta", output_loading_info=True,
            )  # fmt: skip
            _check_missing(folder, {key for key in found["missing_keys"] if not key.startswith("pooler.")})
    return model.eval()
