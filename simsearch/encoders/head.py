"""Encoders that are a head on another encoder: a small network that takes its features."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from simsearch.encoders.folder import BUNDLED, BaseRecord, bundled_names, read_config
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from simsearch.media.images import Picture
    from simsearch.types import Vectors


@dataclass(frozen=True)
class HeadEncoder(OnnxEncoder):
    """A head in use, on the encoder that it names. The network of both is loaded when it is first needed."""

    @cached_property
    def base(self) -> OnnxEncoder:
        """The encoder whose features it takes. Raises EncoderError when it is not here."""
        assert self.config.base is not None
        folder = base_folder(self.config.base, self.folder)
        return OnnxEncoder(folder, read_config(folder))

    def _run(self, pictures: Sequence[Picture]) -> Vectors:
        return self.run("features", self.base.features(pictures))


def base_folder(base: BaseRecord, head: Path) -> Path:
    """The folder of the encoder that a head needs: one that ships, or one of its name beside it.

    Raises EncoderError when none of these has the fingerprint.
    """
    for folder in _candidates(base, head):
        try:
            if read_config(folder).fingerprint == base.fingerprint:
                return folder
        except EncoderError:
            continue
    raise EncoderError(
        f"{head} is a head on the encoder {base.name!r} with fingerprint {base.fingerprint}, which is neither among "
        f"those that ship ({', '.join(bundled_names())}) nor in {head.parent / Path(base.name).name}: copy it there, "
        "or train the head again"
    )


def _candidates(base: BaseRecord, head: Path) -> Iterator[Path]:
    yield from (BUNDLED / name for name in bundled_names())
    yield head.parent / Path(base.name).name
    yield Path(base.name)
