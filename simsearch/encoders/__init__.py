"""Encoders: from a name or a folder to something that makes vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from simsearch.encoders.onnx import OnnxEncoder
    from simsearch.encoders.text import OnnxTextEncoder


def open_encoder(name: str | Path) -> OnnxEncoder | OnnxTextEncoder:
    """The encoder that ships under this name ("photo", "glyph"), or the one in this folder, for images or for texts.

    Raises EncoderError.
    """
    from simsearch.encoders.folder import encoder_folder, read_config

    folder = encoder_folder(str(name))
    config = read_config(folder)
    if config.modality == "text":
        from simsearch.encoders.text import OnnxTextEncoder

        return OnnxTextEncoder(folder, config)
    from simsearch.encoders.onnx import OnnxEncoder

    return OnnxEncoder(folder, config)
