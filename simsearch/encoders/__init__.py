"""Encoders: from a name or a folder to something that makes vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from simsearch.encoders.onnx import OnnxEncoder


def open_encoder(name: str | Path) -> OnnxEncoder:
    """The encoder that ships under this name ("photo", "glyph"), or the one in this folder. Raises EncoderError."""
    from simsearch.encoders.folder import encoder_folder
    from simsearch.encoders.onnx import OnnxEncoder

    return OnnxEncoder.open(encoder_folder(str(name)))
