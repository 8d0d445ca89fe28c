"""Encoders from the Hugging Face hub, or from folders in its format: pictures, pictures and words, texts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.encoders.pretrained_folder import PretrainedFolder, is_hub_format, read_folder
from simsearch.encoders.pretrained_hub import hub_folder
from simsearch.encoders.text import text_of
from simsearch.errors import MediaError, MissingExtraError
from simsearch.media.ahead import ahead
from simsearch.media.files import read_file
from simsearch.media.images import Picture, whole
from simsearch.media.several import several
from simsearch.vectors.arrays import as_vectors

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

    from simsearch.encoders.pretrained_networks import Pixels, VisionTower
    from simsearch.types import Encoder, Source, Vectors

BATCH = 32
LIBRARIES = ("torch", "transformers", "sentence_transformers", "accelerate")


def open_pretrained(name: str) -> Encoder:
    """The encoder of a folder in the hub's format, or of a name on the hub, which is downloaded if it must be.

    Raises EncoderError for a model that cannot be had or used, MissingExtraError without the libraries for it.
    """
    folder = find_pretrained(name)
    if folder.modality == "text":
        return PretrainedTexts(folder)
    return PretrainedWordsAndPictures(folder) if folder.has_words else PretrainedPictures(folder)


def find_pretrained(name: str) -> PretrainedFolder:
    """The folder of a model, by its path or its name on the hub. Raises like `open_pretrained`."""
    path = Path(name)
    local = is_hub_format(path)
    if not all(_installed(library) for library in LIBRARIES):
        what = f"The pretrained model {name}" if local else f"{name!r} is no encoder here; a model of the hub"
        raise MissingExtraError(what, "pretrained")
    return read_folder(path, str(path.absolute())) if local else read_folder(hub_folder(name), name)


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except ImportError:
        return False


@dataclass(frozen=True)
class _Pretrained:
    """What the encoders share. The network is loaded when it is first needed, once, whichever thread asks."""

    folder: PretrainedFolder
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False, compare=False)

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def fingerprint(self) -> str:
        return self.folder.fingerprint

    @property
    def modality(self) -> str:
        return self.folder.modality


class PretrainedPictures(_Pretrained):
    """A vision model, for instance DINOv2 or ViT."""

    @cached_property
    def _loaded(self) -> tuple[VisionTower, Pixels]:
        from simsearch.encoders.pretrained_networks import device, load_pixels, load_vision

        with self._lock:
            known: tuple[VisionTower, Pixels] | None = self.__dict__.get("_loaded")
            return known or (load_vision(self.folder).to(device()), load_pixels(self.folder))

    @cached_property
    def dim(self) -> int:
        """The length of a vector, found by encoding a blank picture."""
        _, pixels = self._loaded
        return len(self._features(np.zeros((1, pixels.height, pixels.width, 3), dtype=np.uint8))[0])

    def prepare(self, source: Source) -> Picture:
        """The pixels that the network wants. Safe in threads. Raises MediaError with the reason alone."""
        _, pixels = self._loaded
        given = read_file(source) if isinstance(source, (str, Path)) else source
        picture = whole(given, 2 * max(pixels.width, pixels.height))
        return Picture(pixels.fitted(picture.pixels), picture.width, picture.height)

    def embed(self, pictures: Sequence[Picture]) -> Vectors:
        """Unit vectors of prepared pictures, shape (n, dim), computed in batches of 32.

        Raises VectorError when the network gives a zero or non-finite vector, naming the row.
        """
        if not pictures:
            return np.empty((0, self.dim), dtype=np.float32)
        chunks = (pictures[start : start + BATCH] for start in range(0, len(pictures), BATCH))
        return as_vectors(np.concatenate([self._features(np.stack([p.pixels for p in chunk])) for chunk in chunks]))

    def _features(self, pixels: Any) -> Vectors:
        import torch

        tower, fit = self._loaded
        with torch.inference_mode():
            given = torch.from_numpy(pixels).to(next(tower.parameters()).device)
            features: Vectors = tower(fit.normalized(given)).float().cpu().numpy()
        return features

    def encode(self, sources: Sequence[Source]) -> Vectors:
        """Vectors of shape (len(sources), dim), in order. Raises MediaError naming the first unreadable source."""
        parts: list[Vectors] = []
        pending: list[Picture] = []
        for picture in ahead(self._prepare_named, several(sources)):
            pending.append(picture)
            if len(pending) == BATCH:
                parts.append(self.embed(pending))
                pending = []
        return np.concatenate([*parts, self.embed(pending)])

    def _prepare_named(self, source: Source) -> Picture:
        try:
            return self.prepare(source)
        except MediaError as error:
            if isinstance(source, (str, Path)):
                raise MediaError(f"{source}: {error}") from error
            raise


class PretrainedWordsAndPictures(PretrainedPictures):
    """A model with a tower for pictures and one for words, for instance CLIP or SigLIP: words find pictures."""

    @cached_property
    def _words(self) -> tuple[Any, int, str | bool]:
        from simsearch.encoders.pretrained_networks import load_words

        return load_words(self.folder)

    def encode_texts(self, texts: Sequence[str]) -> Vectors:
        """Vectors of shape (len(texts), dim) in the space of the pictures. What is too long for the model is cut off.

        Raises MediaError for an empty text, with its number.
        """
        for number, text in enumerate(texts := several(texts), start=1):
            try:
                plain_text(text)
            except MediaError as error:
                raise MediaError(f"text {number}: {error}") from error
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        chunks = (list(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH))
        return as_vectors(np.concatenate([self._text_features(chunk) for chunk in chunks]))

    def _text_features(self, texts: list[str]) -> Vectors:
        import torch

        tower, _ = self._loaded
        tokenizer, length, padding = self._words
        given = tokenizer(texts, padding=padding, truncation=True, max_length=length, return_tensors="pt")
        with torch.inference_mode():
            found = tower.model.get_text_features(**given.to(next(tower.parameters()).device))  # type: ignore[operator]
            features: Vectors = found.pooler_output.float().cpu().numpy()
        return features


@dataclass(frozen=True, slots=True)
class PlainText:
    """A text as it is. It has no `width` and no `height`."""

    text: str
    width: None = None
    height: None = None


class PretrainedTexts(_Pretrained):
    """A text model as sentence-transformers keeps it. A str is the text itself, a Path a file of it."""

    @cached_property
    def _model(self) -> SentenceTransformer:
        from simsearch.encoders.pretrained_networks import load_sentences

        with self._lock:
            known: SentenceTransformer | None = self.__dict__.get("_model")
            return known or load_sentences(self.folder)

    @cached_property
    def dim(self) -> int:
        """The length of a vector, found by encoding a word."""
        return len(self._features(["text"])[0])

    def prepare(self, source: Source) -> PlainText:
        """The text. Raises MediaError with the reason alone when it is empty, or not UTF-8."""
        return plain_text(source)

    def embed(self, texts: Sequence[PlainText]) -> Vectors:
        """Unit vectors of prepared texts, shape (n, dim), computed by the library in batches of similar length.

        Raises VectorError when the network gives a zero or non-finite vector, naming the row.
        """
        if not texts:
            return np.empty((0, self.dim), dtype=np.float32)
        return as_vectors(self._features([each.text for each in texts]))

    def _features(self, texts: list[str]) -> Vectors:
        features: Vectors = self._model.encode(texts, batch_size=BATCH, show_progress_bar=False)
        return features

    def encode(self, sources: Sequence[Source]) -> Vectors:
        """Vectors of shape (len(sources), dim), in order. Raises MediaError naming the first unusable text."""
        return self.embed(list(self._prepared(several(sources))))

    def _prepared(self, sources: Sequence[Source]) -> Iterator[PlainText]:
        for number, source in enumerate(sources, start=1):
            try:
                yield plain_text(source)
            except MediaError as error:
                raise MediaError(f"{source if isinstance(source, Path) else f'text {number}'}: {error}") from error


def plain_text(source: object) -> PlainText:
    """The text that a str, UTF-8 bytes or a file hold. Raises MediaError."""
    text = source if isinstance(source, str) else text_of(source)
    if not text or text.isspace():
        raise MediaError("empty text")
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise MediaError("not a text: it has half of a surrogate pair")
    return PlainText(text)
