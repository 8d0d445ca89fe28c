"""Conversion of a model, from its name to an encoder folder that is created atomically."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.encoders.converting.graphs.options import OnnxOptions
from simsearch.encoders.converting.storing import BITS
from simsearch.encoders.folder import EncoderConfig, is_encoder, write_config
from simsearch.encoders.placing import placed, require_place
from simsearch.encoders.pretrained_folder import is_hub_format
from simsearch.encoders.pretrained_hub import find_pretrained, is_hub_name
from simsearch.errors import EncoderError, UsageError
from simsearch.media.arguments import COUNT, FLAG, PATH, require, require_instance
from simsearch.media.files import refuse_url
from simsearch.space import telling_full_disk

if TYPE_CHECKING:
    from simsearch.encoders.pretrained_folder import PretrainedFolder
    from simsearch.types import JSONValue

CONVERTED = "converted"
"""The `kind` of a converted network."""


def convert(
    source: str | Path,
    out: str | Path,
    *,
    bits: int = 16,
    onnx: OnnxOptions | None = None,
    overwrite: bool = False,
) -> EncoderConfig:
    """Converts a pretrained model to the encoder folder `out`, which needs only ONNX Runtime.

    `source` is a folder in the format of the Hugging Face hub, a name on the hub, OWNER/MODEL, or an ONNX file with the
    options `onnx`. Large weights are stored in 32, 16 or 8 bits. The embeddings are compared with those of the model
    itself; the differences are in `figures` of the result. Raises EncoderError for a model that is not available or
    cannot be converted, or whose embeddings differ, MissingExtraError without the libraries that load it, UsageError
    for options that do not apply.
    """
    require(PATH, source=source, out=out)
    require(COUNT, bits=bits)
    require(FLAG, overwrite=overwrite)
    require_instance(OnnxOptions, "simsearch.OnnxOptions(...)", onnx=onnx)
    folder, path = Path(out), Path(source)
    if bits not in BITS:
        raise UsageError(f"bits {bits}: must be one of {', '.join(map(str, BITS))}")
    refuse_url(source, "an ONNX file, a folder, or OWNER/MODEL of the hub")
    require_place(folder, _work(folder), overwrite=overwrite)
    if path.suffix.lower() == ".onnx":
        return _converted_onnx(path, folder, onnx or OnnxOptions(), bits)
    if onnx is not None and onnx.given():
        option = onnx.given()[0].replace("_", "-")
        raise UsageError(f"--{option} is for ONNX files; a model of the hub has its own configuration")
    if is_encoder(str(source)):
        raise UsageError(f"{source} is already an encoder of simsearch, there is nothing to convert")
    if not (is_hub_format(path) or is_hub_name(str(source))):
        raise EncoderError(
            f"No model {str(source)!r}: it is neither an ONNX file (NAME.onnx), nor a folder with config.json in the "
            "format of the hub, nor a name on the hub, OWNER/MODEL"
        )
    return convert_pretrained(find_pretrained(str(source)), folder, folder.name, bits)


def convert_pretrained(source: PretrainedFolder, folder: Path, name: str, bits: int) -> EncoderConfig:
    """Converts a model in the hub's format to `folder` atomically; an existing one is replaced."""
    if source.modality == "text":
        from simsearch.encoders.converting.sentences import convert_sentences as convert_model
    else:
        from simsearch.encoders.converting.pictures import convert_pictures as convert_model
    origin = Path(source.name).name if is_hub_format(Path(source.name)) else source.name
    beginning = _beginning(name, origin, source.fingerprint, bits)
    return _placed(folder, lambda made: convert_model(source, made, beginning, bits))


def _converted_onnx(path: Path, folder: Path, options: OnnxOptions, bits: int) -> EncoderConfig:
    from simsearch.encoders.converting.graphs.files import inputs_of, read_model
    from simsearch.encoders.converting.graphs.images import convert_onnx_pictures
    from simsearch.encoders.converting.graphs.texts import convert_onnx_texts, is_text_model
    from simsearch.manifest import checksum

    model = read_model(path)
    given = inputs_of(model)
    beginning = _beginning(folder.name, path.name, checksum(path)[:16], bits)
    convert_model = convert_onnx_texts if is_text_model(given) else convert_onnx_pictures
    return _placed(folder, lambda made: convert_model(path, model, given, made, beginning, options, bits))


def _work(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.converting")


def _placed(folder: Path, make: Callable[[Path], EncoderConfig]) -> EncoderConfig:
    """The result of `make`, which fills a temporary folder that is then moved to `folder`."""
    work = _work(folder)
    try:
        with telling_full_disk(folder, EncoderError), placed(folder, work) as made:
            config = make(made)
            write_config(made, config)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return config


def _beginning(name: str, origin: str, fingerprint: str, bits: int) -> EncoderConfig:
    """The configuration before the networks are converted."""
    model: dict[str, JSONValue] = {"kind": CONVERTED, "source": origin, "bits": bits}
    record: dict[str, JSONValue] = {"converted_from": origin, "source_fingerprint": fingerprint}
    return EncoderConfig(name=name, modality="", dim=0, model=model, layers=(), training=record, figures={})
