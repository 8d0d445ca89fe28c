"""The conversion of a model as a whole: from its name to an encoder folder that is there, or is not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.encoders.converting.options import OnnxOptions
from simsearch.encoders.converting.storing import BITS
from simsearch.encoders.folder import EncoderConfig, is_encoder, write_config
from simsearch.encoders.placing import placed, require_place
from simsearch.encoders.pretrained_folder import is_hub_format
from simsearch.encoders.pretrained_hub import find_pretrained, is_hub_name
from simsearch.errors import EncoderError, UsageError

if TYPE_CHECKING:
    from simsearch.encoders.pretrained_folder import PretrainedFolder
    from simsearch.types import JSONValue

CONVERTED = "converted"
"""The kind of a network that was not built here."""


def convert(
    source: str | Path,
    out: str | Path,
    *,
    bits: int = 16,
    onnx: OnnxOptions | None = None,
    overwrite: bool = False,
) -> EncoderConfig:
    """Makes the encoder folder `out` of somebody else's model; using it needs ONNX Runtime only.

    `source` is a folder in the format of the Hugging Face hub, a name on the hub, OWNER/MODEL, or an ONNX file, of
    which `onnx` says what the file itself does not. Large weights are stored in 32, 16 or 8 bits. What the folder
    gives is compared with the model itself: `figures` of the result says by how much they differ.
    Raises EncoderError for a model that cannot be had or converted, or that comes out otherwise, MissingExtraError
    without the libraries that read it, UsageError for options that do not fit.
    """
    folder, path = Path(out), Path(source)
    if bits not in BITS:
        raise UsageError(f"bits {bits}: one of {', '.join(map(str, BITS))} is possible")
    require_place(folder, overwrite=overwrite)
    if path.suffix.lower() == ".onnx":
        return _converted_onnx(path, folder, onnx or OnnxOptions(), bits)
    if onnx is not None and onnx.said():
        option = onnx.said()[0].replace("_", "-")
        raise UsageError(f"--{option} is for ONNX files; a model of the hub says itself what it takes")
    if is_encoder(str(source)):
        raise UsageError(f"{source} is an encoder of simsearch already, there is nothing to convert")
    if not (is_hub_format(path) or is_hub_name(str(source))):
        raise EncoderError(
            f"No model {str(source)!r}: it is neither an ONNX file (NAME.onnx), nor a folder with config.json in the "
            "format of the hub, nor a name on the hub, OWNER/MODEL"
        )
    return convert_pretrained(find_pretrained(str(source)), folder, folder.name, bits)


def convert_pretrained(source: PretrainedFolder, folder: Path, name: str, bits: int) -> EncoderConfig:
    """Makes the folder of a model in the hub's format, whole or not at all; one that is there is replaced."""
    if source.modality == "text":
        from simsearch.encoders.converting.sentences import convert_sentences as convert_model
    else:
        from simsearch.encoders.converting.pictures import convert_pictures as convert_model
    origin = Path(source.name).name if is_hub_format(Path(source.name)) else source.name
    beginning = _beginning(name, origin, source.fingerprint, bits)
    return _placed(folder, lambda made: convert_model(source, made, beginning, bits))


def _converted_onnx(path: Path, folder: Path, options: OnnxOptions, bits: int) -> EncoderConfig:
    from simsearch.encoders.converting.onnx_files import inputs_of, read_model
    from simsearch.encoders.converting.onnx_pictures import convert_onnx_pictures
    from simsearch.encoders.converting.onnx_texts import convert_onnx_texts, is_text_model
    from simsearch.manifest import checksum

    model = read_model(path)
    given = inputs_of(model)
    beginning = _beginning(folder.name, path.name, checksum(path)[:16], bits)
    convert_model = convert_onnx_texts if is_text_model(given) else convert_onnx_pictures
    return _placed(folder, lambda made: convert_model(path, model, given, made, beginning, options, bits))


def _placed(folder: Path, make: Callable[[Path], EncoderConfig]) -> EncoderConfig:
    """What `make` says of the folder that it is given and fills, which then takes its place."""
    work = folder.with_name(f"{folder.name}.converting")
    try:
        with placed(folder, work) as made:
            config = make(made)
            write_config(made, config)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return config


def _beginning(name: str, origin: str, fingerprint: str, bits: int) -> EncoderConfig:
    """What is known of a folder before its networks are made."""
    model: dict[str, JSONValue] = {"kind": CONVERTED, "source": origin, "bits": bits}
    record: dict[str, JSONValue] = {"converted_from": origin, "source_fingerprint": fingerprint}
    return EncoderConfig(name=name, modality="", dim=0, model=model, layers=(), training=record, figures={})
