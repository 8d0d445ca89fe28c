"""Encoders that are a head on the features of another encoder, their base."""

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
    """An opened head with its base encoder. Both networks are loaded on first use."""

    @cached_property
    def base(self) -> OnnxEncoder:
        """The base encoder. Raises EncoderError when it is not found."""
        assert self.config.base is not None
        folder = base_folder(self.config.base, self.folder)
        return OnnxEncoder(folder, read_config(folder))

    def _run(self, pictures: Sequence[Picture]) -> Vectors:
        return self.run("features", self.base.features(pictures))


def base_folder(base: BaseRecord, head: Path) -> Path:
    """The folder of the base encoder of a head: a bundled one, or one of its name beside the head.

    Raises EncoderError when none of these has the fingerprint.
    """
    for folder in _candidates(base, head):
        try:
            if read_config(folder).fingerprint == base.fingerprint:
                return folder
        except EncoderError:
            continue
    raise EncoderError(
        f"{head} is a head on the encoder {base.name!r} with fingerprint {base.fingerprint}, which is neither a "
        f"bundled one ({', '.join(bundled_names())}) nor in {head.parent / Path(base.name).name}: copy it there, "
        "or train the head again"
    )


def _candidates(base: BaseRecord, head: Path) -> Iterator[Path]:
    yield from (BUNDLED / name for name in bundled_names())
    yield head.parent / Path(base.name).name
    yield Path(base.name)
