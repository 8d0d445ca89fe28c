"""Encoders: from a name or a folder to something that makes vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from simsearch.encoders.onnx import OnnxEncoder
    from simsearch.encoders.text import OnnxTextEncoder
    from simsearch.types import Encoder


def open_encoder(name: str | Path) -> Encoder:
    """The encoder that ships under this name ("photo", "glyph", "text"), or the one in this folder.

    A folder is one of simsearch, or a pretrained model in the format of the Hugging Face hub. What is neither but has
    the form OWNER/MODEL is a model of the hub: taken from its cache, or downloaded. Raises EncoderError.
    """
    from simsearch.encoders.folder import encoder_folder

    if is_pretrained(name):
        from simsearch.encoders.pretrained import open_pretrained

        return open_pretrained(str(name))
    return open_folder(encoder_folder(str(name)))


def is_pretrained(name: str | Path) -> bool:
    """Whether this is a folder in the hub's format, or has the form of a hub's name and is nothing of simsearch."""
    from simsearch.encoders.folder import is_encoder
    from simsearch.encoders.pretrained_folder import is_hub_format
    from simsearch.encoders.pretrained_hub import is_hub_name

    text = str(name)
    return not is_encoder(text) and (is_hub_format(Path(text)) or is_hub_name(text))


def open_folder(folder: Path) -> OnnxEncoder | OnnxTextEncoder:
    """The encoder in a folder with encoder.json. Raises EncoderError."""
    from simsearch.encoders.folder import read_config

    config = read_config(folder)
    if config.modality == "text":
        from simsearch.encoders.text import OnnxTextEncoder

        return OnnxTextEncoder(folder, config)
    from simsearch.encoders.head import HeadEncoder
    from simsearch.encoders.onnx import OnnxEncoder

    return OnnxEncoder(folder, config) if config.base is None else HeadEncoder(folder, config)
