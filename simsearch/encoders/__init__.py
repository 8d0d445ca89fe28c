"""Encoders, opened by name or folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.encoders.onnx import OnnxEncoder
    from simsearch.encoders.text import OnnxTextEncoder


def open_encoder(name: str | Path) -> OnnxEncoder | OnnxTextEncoder:
    """The bundled encoder of this name ("photo", "glyph", "strokes", "text"), or the encoder in this folder.

    A folder is an encoder folder, or a pretrained model in the format of the Hugging Face hub. Another name of the form
    OWNER/MODEL is a model of the hub, taken from the hub's cache or downloaded. Models of the hub are converted when
    they are first opened, and the result is cached. Raises EncoderError.
    """
    from simsearch.encoders.folder import encoder_folder, is_encoder
    from simsearch.media.arguments import PATH, require

    require(PATH, name=name)
    text = str(name)
    if is_encoder(text):
        return open_folder(encoder_folder(text))
    from simsearch.encoders.cached import cached_folder, converted_folder

    if is_pretrained(text):
        # The name under which it can be opened again from any working directory.
        name_again = str(Path(text).absolute()) if Path(text).is_dir() else text
        return open_folder(converted_folder(text), name_again)
    cached = cached_folder(text)
    return open_folder(encoder_folder(text)) if cached is None else open_folder(cached, text)


def is_pretrained(name: str | Path) -> bool:
    """Whether this is a folder in the hub's format, or has the form of a hub name and is no encoder of simsearch."""
    from simsearch.encoders.folder import is_encoder
    from simsearch.encoders.pretrained_folder import is_hub_format
    from simsearch.encoders.pretrained_hub import is_hub_name

    text = str(name)
    return not is_encoder(text) and (is_hub_format(Path(text)) or is_hub_name(text))


def open_folder(folder: Path, name: str | None = None) -> OnnxEncoder | OnnxTextEncoder:
    """The encoder in a folder with encoder.json, under its own name or the given one. Raises EncoderError."""
    from dataclasses import replace

    from simsearch.encoders.folder import read_config

    config = read_config(folder)
    if name is not None:
        config = replace(config, name=name)
    if config.modality == "text":
        from simsearch.encoders.text import OnnxTextEncoder

        return OnnxTextEncoder(folder, config)
    if config.words is not None:
        from simsearch.encoders.words import WordsEncoder

        return WordsEncoder(folder, config)
    if config.base is not None:
        from simsearch.encoders.head import HeadEncoder

        return HeadEncoder(folder, config)
    from simsearch.encoders.onnx import OnnxEncoder

    return OnnxEncoder(folder, config)
