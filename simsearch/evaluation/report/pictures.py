"""Items as a report shows them: embedded thumbnails, or the texts."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from simsearch.errors import MediaError
from simsearch.media.images import read_file, thumbnail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from simsearch.evaluation.results import Evaluation

Mark: TypeAlias = Literal["", "query", "right", "wrong"]
WORDS = {"": "", "query": "query: ", "right": "correct: ", "wrong": "wrong: "}
SIDE = 108
LONGEST_TEXT = 220


@dataclass(frozen=True, slots=True)
class Gallery:
    """The items of an evaluation, by their positions."""

    sources: tuple[str, ...]
    modality: str
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Gallery:
        return cls(evaluation.sources, evaluation.modality, evaluation.labels, evaluation.classes)

    def name(self, position: int) -> str:
        """The class of an item, or without classes the name of its file, or the text."""
        if self.labels is not None:
            return self.classes[int(self.labels[position])]
        return Path(self.sources[position]).stem if self.modality == "image" else self.sources[position]

    def tile(self, position: int, mark: Mark = "", note: str = "") -> str:
        """An item in a frame that shows its mark by its style and in words."""
        caption = f"{WORDS[mark]}{self.name(position) if self.modality == 'image' or self.labels is not None else ''}"
        told = "<br>".join(escape(line) for line in (caption.rstrip(": "), note) if line)
        told = f"<figcaption>{told}</figcaption>" if told else ""
        inside, kind = self._inside(position), "text " if self.modality == "text" else ""
        return f'<figure class="tile {kind}{mark}">{inside}{told}</figure>'

    def _inside(self, position: int) -> str:
        source = self.sources[position]
        if self.modality == "text":
            text = " ".join(source.split())
            return (
                f"<blockquote>{escape(text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + '…')}</blockquote>"
            )
        try:
            return f'<img src="{self.uri(position, SIDE)}" alt="{escape(self.name(position))}" loading="lazy">'
        except MediaError as error:
            return f'<div class="blank">{escape(str(error))}</div>'

    def uri(self, position: int, side: int) -> str:
        """The image, its long side `side` pixels, as a data URI. Raises MediaError."""
        return data_uri(thumbnail(read_file(self.sources[position]), side))


def data_uri(image: Image) -> str:
    """The image as PNG or as JPEG, whichever is smaller, within a URI."""
    versions = []
    for name, options in (("png", {"optimize": True}), ("jpeg", {"quality": 82})):
        stream = BytesIO()
        image.save(stream, format=name, **options)
        versions.append((stream.getvalue(), name))
    content, name = min(versions, key=lambda version: len(version[0]))
    return f"data:image/{name};base64,{b64encode(content).decode('ascii')}"
