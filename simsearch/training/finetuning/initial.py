"""The encoder that a run fine-tunes: a bundled one, a folder or a pretrained model, ready to be trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor, nn

from simsearch.encoders.converting.models import CONVERTED
from simsearch.encoders.folder import (
    ONNX_NAME,
    TOKENIZER_NAME,
    WEIGHTS_NAME,
    BaseRecord,
    EncoderConfig,
    encoder_folder,
    read_config,
    read_verified,
)
from simsearch.encoders.head import base_folder
from simsearch.errors import EncoderError, MissingExtraError
from simsearch.evaluation.selection import seen_in
from simsearch.training.export.weights import of_onnx, of_safetensors
from simsearch.training.networks.building import build, build_text
from simsearch.training.networks.encoder import SiameseEncoder
from simsearch.training.networks.specification import ModelSpec, TextSpec

if TYPE_CHECKING:
    from simsearch.types import JSONValue


PRETRAINED = "pretrained"
"""The kind of a network that another library builds."""
RETIRED = ("joined", "vit")
"""The kinds of networks of older versions that can be used but no longer trained."""


@dataclass(frozen=True, slots=True)
class InitialEncoder:
    """An encoder to fine-tune, with its preprocessing."""

    name: str
    fingerprint: str
    modality: str
    encoder: SiameseEncoder
    spec: ModelSpec | TextSpec
    fit: str
    tokenizer: bytes = b""
    seen: frozenset[str] = frozenset()
    """The classes, or groups of them, that it was trained on, as far as its record names them."""
    base: BaseRecord | None = None
    """The encoder whose features its head takes: itself, or the one that it is a head on; None without features."""


def load_initial_encoder(name: str) -> InitialEncoder:
    """The encoder of this bundled name or folder, or a pretrained model by its folder or name, for training.

    Raises EncoderError if there is none, or if its weights do not match its configuration.
    """
    from simsearch.encoders import is_pretrained

    return _pretrained(name) if is_pretrained(name) else _ours(name)


def _pretrained(name: str) -> InitialEncoder:
    from simsearch.training.networks.pretrained import load_pretrained_network

    found = load_pretrained_network(name)
    spec: ModelSpec | TextSpec
    if found.modality == "text":
        spec = TextSpec(PRETRAINED, found.vocabulary, found.dim, max_tokens=found.max_tokens)
    else:
        spec = ModelSpec(PRETRAINED, found.width, found.height, found.channels, found.dim)
    return InitialEncoder(
        found.name, found.fingerprint, found.modality, found.network, spec, found.fit, found.tokenizer
    )


def _ours(name: str) -> InitialEncoder:
    folder = encoder_folder(name)
    config = read_config(folder)
    if config.model.get("kind") == CONVERTED:
        raise EncoderError(
            f"{folder} was converted from {config.model.get('source')!r} for inference only; fine-tune that model: "
            f"--from {config.model.get('source')}"
        )
    if config.model.get("kind") == PRETRAINED:
        raise EncoderError(
            f"{folder} was fine-tuned from a pretrained model, whose network cannot be built from this folder; "
            "name the pretrained model instead"
        )
    _require_built(config.model, folder)
    spec = _spec_of(config.model, folder, TextSpec if config.modality == "text" else ModelSpec)
    weights = _weights(folder, config)
    if spec.dim != config.dim:
        raise EncoderError(f"{folder}: encoder.json has dimension {config.dim}, but its network {spec.dim}")
    try:
        encoder = _built(spec)
    except (RuntimeError, TypeError, ValueError, OverflowError) as error:
        lines = str(error).splitlines()
        raise EncoderError(f"{folder}: encoder.json does not say how its network is built: {lines[0]}") from error
    try:
        encoder.load_state_dict(weights)
    except RuntimeError as error:
        lines = str(error).splitlines()
        raise EncoderError(
            f"{folder / _weights_name(config)} does not match the configuration in encoder.json: {lines[-1].strip()}; "
            "the folder was put together from two encoders, export it again"
        ) from error
    tokenizer = read_verified(folder, config, TOKENIZER_NAME) if config.modality == "text" else b""
    base = None
    if isinstance(spec, ModelSpec) and spec.features:
        base = config.base or BaseRecord(name, config.fingerprint)
    return InitialEncoder(
        name, config.fingerprint, config.modality, encoder, spec, config.fit, tokenizer, seen_in(config.training), base
    )


def _require_built(model: Mapping[str, JSONValue], folder: Path) -> None:
    """Raises EncoderError for a network of an older version that can no longer be trained."""
    kind, views = model.get("kind"), model.get("views")
    mirrored = isinstance(views, list) and "mirror" in views
    if kind in RETIRED or mirrored:
        old = "that see the mirror image too" if mirrored else f"of its kind, {kind!r},"
        raise EncoderError(
            f"{folder} can be used, but not fine-tuned: networks {old} are no longer built; choose another initial "
            "encoder, as --from photo"
        )


def _built(spec: ModelSpec | TextSpec) -> SiameseEncoder:
    """The network with arbitrary weights."""
    if isinstance(spec, TextSpec):
        return build_text(spec)
    return build(spec, mean=(0.0,) * spec.channels, std=(1.0,) * spec.channels)


def _spec_of(
    model: Mapping[str, JSONValue], folder: Path, kind: type[ModelSpec] | type[TextSpec]
) -> ModelSpec | TextSpec:
    known = {item.name for item in fields(kind)}
    values: dict[str, object] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in model.items() if name in known
    }
    try:
        return kind(**values)  # type: ignore[arg-type]
    except TypeError as error:
        raise EncoderError(f"{folder}: encoder.json does not say how its network is built: {error}") from error


def _weights(folder: Path, config: EncoderConfig) -> dict[str, Tensor]:
    """The training weights in a folder, in 32 bits; for a head with those of its base encoder."""
    if config.base is not None:
        below = base_folder(config.base, folder)
        kept = _weights(below, read_config(below))
        own = _weights(folder, replace(config, base=None))
        return {name: tensor for name, tensor in kept.items() if not name.startswith("head.")} | own
    name = _weights_name(config)
    content = read_verified(folder, config, name)
    try:
        return of_onnx(content) if name == ONNX_NAME else of_safetensors(content)
    except ImportError:
        raise MissingExtraError("Fine-tuning an encoder", "train") from None
    except ValueError as error:
        raise EncoderError(f"{folder / name}: {error}") from error


def _weights_name(config: EncoderConfig) -> str:
    """The name of the file with the training weights."""
    return WEIGHTS_NAME if WEIGHTS_NAME in config.files else ONNX_NAME


def with_head(start: InitialEncoder) -> InitialEncoder:
    """The encoder with a linear head initialized to the identity, if it has none."""
    if start.spec.head:
        return start
    head = nn.Linear(start.spec.dim, start.spec.dim, bias=False)
    nn.init.eye_(head.weight)
    start.encoder.head = head
    return replace(start, spec=replace(start.spec, head=True))
