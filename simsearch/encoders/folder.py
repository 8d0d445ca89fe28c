"""The encoder folder: encoder.json and its weights. Loading it never runs code."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.errors import EncoderError
from simsearch.manifest import checksum, write_atomically
from simsearch.media.files import refuse_url

if TYPE_CHECKING:
    from simsearch.types import JSONValue

ENCODER_FORMAT = 2
OLDEST_FORMAT = 1
"""The format of encoders that use no feature of format 2; simsearch 0.2 reads it as well."""
CONFIG_NAME = "encoder.json"
ONNX_NAME = "encoder.onnx"
WEIGHTS_NAME = "weights.safetensors"
TOKENIZER_NAME = "tokenizer.json"
WORDS_NAME = "words.onnx"
WORDS_TOKENIZER_NAME = "words-tokenizer.json"
FILES = (ONNX_NAME, WEIGHTS_NAME, TOKENIZER_NAME, WORDS_NAME, WORDS_TOKENIZER_NAME)
"""The files of an encoder folder beside encoder.json. `weights.safetensors` is missing where training reads the weights
from encoder.onnx, or where the encoder cannot be fine-tuned."""
INPUTS = {"image": ("width", "height", "channels", "fit"), "text": ("max_tokens", "vocabulary", "codes")}
"""The fields of encoder.json that describe the input of the network, by modality; the others are omitted."""
KINDS = {"name": str, "modality": str, "dim": int, "model": dict, "training": dict, "figures": dict, "fingerprint": str}
"""The types of the fields of encoder.json that are not checked elsewhere."""
AGAIN = "the file was edited or damaged, copy the encoder folder again"
BUNDLED = Path(__file__).parent / "bundled"
RETIRED = {
    "photo-copies": "photo finds edited copies too; use photo, and for a collection of photo-copies "
    "simsearch reindex --encoder photo",
}
"""The bundled encoders of older versions, and what to use instead."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A row of the table of layers that `simsearch info` prints; `shape` is that of the output without the batch."""

    name: str
    kind: str
    shape: tuple[int, ...]
    parameters: int


@dataclass(frozen=True, slots=True)
class FileRecord:
    size: int
    sha256: str

    @classmethod
    def of(cls, path: Path) -> FileRecord:
        return cls(path.stat().st_size, checksum(path))


@dataclass(frozen=True, slots=True)
class WordsConfig:
    """The text tower of an image encoder: `words.onnx` maps ids of `words-tokenizer.json` to unit vectors in the
    embedding space of the images."""

    max_tokens: int
    vocabulary: int
    codes: int = 0
    padding: int = 0
    """The id that shorter texts of a batch are padded with."""
    fixed_length: bool = False
    """Whether every text is padded to `max_tokens`."""
    unknown: int = 0
    """The id of an out-of-vocabulary word; 0 if every word is split into known parts."""


@dataclass(frozen=True, slots=True)
class BaseRecord:
    """The base encoder of a head: its name, by which it is looked up, and the fingerprint that it must have."""

    name: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """The contents of encoder.json. `model` describes the architecture for the training code."""

    name: str
    modality: str
    dim: int
    model: Mapping[str, JSONValue]
    layers: tuple[Layer, ...]
    training: Mapping[str, JSONValue]
    figures: Mapping[str, JSONValue]
    width: int = 0
    height: int = 0
    channels: int = 0
    fit: str = ""
    max_tokens: int = 0
    """Longer texts are truncated to this many tokens."""
    vocabulary: int = 0
    """The token ids of the network are 0 to `vocabulary` - 1."""
    codes: int = 0
    """How many of these, the last ones, are hash buckets for whole words with digits (see `encoders.tokens`)."""
    padding: int = 0
    """The id that shorter texts of a batch are padded with."""
    resample: str = "bicubic"
    zoom: float = 1.0
    """The relative size of the center crop of the fitted image (see `media.images.PixelSpec`)."""
    words: WordsConfig | None = None
    base: BaseRecord | None = None
    """Set if the network is a head: its input is the features of this encoder in place of pixels."""
    curves: Mapping[str, JSONValue] = field(default_factory=dict)
    """Calibration curves from scores to P(same) at prior one half, by what was compared."""
    files: Mapping[str, FileRecord] = field(default_factory=dict)
    fingerprint: str = ""

    def sealed(self, folder: Path) -> EncoderConfig:
        """The configuration with the records of the files in `folder` and the resulting fingerprint."""
        files = {name: FileRecord.of(folder / name) for name in FILES if (folder / name).is_file()}
        sealed = replace(self, files=files)
        return replace(sealed, fingerprint=sealed.expected_fingerprint())

    def expected_fingerprint(self) -> str:
        """16 hexadecimal digits over weights and preprocessing: equal fingerprints give equal embeddings."""
        preprocessing = [self.modality, self.dim, *(getattr(self, name) for name in INPUTS[self.modality])]
        newer = {name: value for name, value in asdict(self).items() if name in NEWER and value != NEWER[name]}
        used = [self.files[name].sha256 for name in FILES if name in self.files and name != WEIGHTS_NAME]
        text = json.dumps([preprocessing, *used, *([newer] if newer else [])])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def parameters(self) -> int:
        return sum(layer.parameters for layer in self.layers)

    @property
    def format(self) -> int:
        """The oldest format that can represent this configuration."""
        plain = all(getattr(self, name) == value for name, value in NEWER.items()) and not self.curves
        return OLDEST_FORMAT if plain and WEIGHTS_NAME in self.files else ENCODER_FORMAT


NEWER: Mapping[str, JSONValue] = {"padding": 0, "resample": "bicubic", "zoom": 1.0, "words": None, "base": None}
"""The fields of format 2 that the embeddings depend on, with the values that format 1 implies."""


def write_config(folder: Path, config: EncoderConfig) -> None:
    document = {"format": config.format, **described(config)}
    write_atomically(folder / CONFIG_NAME, json.dumps(document, indent=1, ensure_ascii=False).encode())


def described(config: EncoderConfig) -> dict[str, JSONValue]:
    """The configuration as it is written to encoder.json, without the fields of other modalities."""
    others = {name for modality, names in INPUTS.items() if modality != config.modality for name in names}
    plain = {name for name, value in NEWER.items() if getattr(config, name) == value}
    without = others | plain | (set() if config.curves else {"curves"})
    return {name: value for name, value in asdict(config).items() if name not in without}


def read_config(folder: Path) -> EncoderConfig:
    """The configuration of an encoder folder; its files are read and verified by `read_verified`.

    Raises EncoderError when the folder has no encoder, or one of another format, or one whose fingerprint does not
    match its files and preprocessing.
    """
    path = folder / CONFIG_NAME
    try:
        document = json.loads(path.read_bytes())
        if (found := document.pop("format")) not in range(OLDEST_FORMAT, ENCODER_FORMAT + 1):
            raise EncoderError(
                f"{path}: format {found!r} is not one of {OLDEST_FORMAT} to {ENCODER_FORMAT}; update simsearch"
            )
        config = _parsed(document)
        expected = config.expected_fingerprint()
    except FileNotFoundError:
        raise EncoderError(f"{folder} is not an encoder folder: it has no {CONFIG_NAME}") from None
    except KeyError as error:
        raise EncoderError(f"{path}: not a valid encoder description: {error} is missing; {AGAIN}") from error
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise EncoderError(f"{path}: not a valid encoder description: {error}; {AGAIN}") from error
    if config.fingerprint != expected:
        raise EncoderError(
            f"{path}: fingerprint {config.fingerprint!r}, but that of its weights and preprocessing is "
            f"{expected!r}: the file was edited; export the encoder again"
        )
    return config


def _parsed(document: dict[str, JSONValue]) -> EncoderConfig:
    for name, kind in KINDS.items():
        if not isinstance(document[name], kind):
            raise TypeError(f"{name} is {str(document[name])[:40]!r}")
    if not isinstance(document.get("curves", {}), dict):
        raise TypeError(f"curves is {str(document['curves'])[:40]!r}")
    layers = [Layer(row["name"], row["kind"], tuple(row["shape"]), row["parameters"]) for row in document.pop("layers")]  # type: ignore[union-attr,call-overload,index,arg-type]
    files = {name: FileRecord(**record) for name, record in document.pop("files").items()}  # type: ignore[union-attr,arg-type]
    words, base = document.pop("words", None), document.pop("base", None)
    config = EncoderConfig(
        layers=tuple(layers),
        files=files,
        words=None if words is None else WordsConfig(**words),  # type: ignore[arg-type]
        base=None if base is None else BaseRecord(**base),  # type: ignore[arg-type]
        **document,  # type: ignore[arg-type]
    )
    if config.modality not in INPUTS:
        raise ValueError(f"modality {config.modality!r}, but there are {', '.join(INPUTS)}")
    missing = [name for name in INPUTS[config.modality] if not getattr(config, name) and name != "codes"]
    missing += [name for name in _needed(config) if name not in files]
    if missing:
        raise KeyError(missing[0])
    return config


def _needed(config: EncoderConfig) -> Sequence[str]:
    """The files that an encoder of this kind requires."""
    texts = (TOKENIZER_NAME,) if config.modality == "text" else ()
    return ONNX_NAME, *texts, *((WORDS_NAME, WORDS_TOKENIZER_NAME) if config.words else ())


def read_verified(folder: Path, config: EncoderConfig, name: str) -> bytes:
    """The bytes of a file of the folder, verified against the size and checksum in encoder.json."""
    path = folder / name
    if name not in config.files:
        raise EncoderError(f"{folder} has no {name}: this encoder can be used, but not fine-tuned")
    record = config.files[name]
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size == record.size else b""
    except FileNotFoundError:
        raise EncoderError(f"{path} is missing; copy the whole encoder folder") from None
    except OSError as error:
        raise EncoderError(f"{path}: {error.strerror or error}") from error
    if size != record.size:
        raise EncoderError(
            f"{path}: {size} bytes instead of {record.size}; the encoder folder is damaged, copy it again"
        )
    if hashlib.sha256(content).hexdigest() != record.sha256:
        raise EncoderError(
            f"{path}: the checksum differs from {CONFIG_NAME}; the encoder folder is damaged, copy it again"
        )
    return content


def bundled_names() -> Sequence[str]:
    """The names of the bundled encoders."""
    return sorted(path.parent.name for path in BUNDLED.glob(f"*/{CONFIG_NAME}"))


def bundled_with_words() -> Sequence[str]:
    """The names of the bundled encoders with a text tower."""
    return [name for name in bundled_names() if read_config(BUNDLED / name).words is not None]


def is_encoder(name: str) -> bool:
    """Whether the name is that of a bundled encoder, or of a folder with encoder.json."""
    return _is_bundled(name) or (Path(name) / CONFIG_NAME).is_file()


def _is_bundled(name: str) -> bool:
    """Whether this is the name of a bundled encoder; a path never is. Does not list the folder of the package."""
    return Path(name).name == name and (BUNDLED / name / CONFIG_NAME).is_file()


def encoder_folder(name: str) -> Path:
    """The folder of a bundled encoder, or of a path.

    Raises EncoderError listing the bundled encoders, or naming the replacement of a retired one.
    """
    if _is_bundled(name):
        return BUNDLED / name
    folder = Path(name)
    if (folder / CONFIG_NAME).is_file():
        return folder
    if name in RETIRED:
        raise EncoderError(f"The encoder {name!r} is no longer bundled: {RETIRED[name]}")
    refuse_url(name, f"a bundled name ({', '.join(bundled_names())}), a folder, or OWNER/MODEL of the hub")
    raise EncoderError(
        f"No encoder {name!r}: it is neither a bundled one ({', '.join(bundled_names())}) nor a folder with "
        f"{CONFIG_NAME}, nor a model of the hub, OWNER/MODEL. Train one: simsearch train LABELED_FOLDER -o {name}"
    )
