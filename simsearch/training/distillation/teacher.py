"""Cached teacher embeddings: the embeddings of many texts by a teacher, computed once."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from simsearch.errors import DamagedError
from simsearch.manifest import write_atomically
from simsearch.progress import Progress, Working

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.types import Encoder

PART = 2_048
"""Texts in each file of the cache."""


def teacher_embeddings(teacher: Encoder, texts: Sequence[str], cache: Path, progress: Progress) -> NDArray[np.float16]:
    """The teacher's embedding of each text, shape (len(texts), dim), in 16 bits.

    They are cached in `cache` in parts of 2,048 texts of similar length, from which an interrupted run resumes, in a
    folder named by a hash of the teacher and the texts. Raises DamagedError.
    """
    key = json.dumps([teacher.fingerprint, teacher.dim, list(texts)])
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
    folder.mkdir(parents=True, exist_ok=True)
    order = sorted(range(len(texts)), key=lambda row: (len(texts[row]), row))
    embeddings = np.empty((len(texts), teacher.dim), dtype=np.float16)
    with Working(progress, len(texts), "texts", "teacher embeddings"):
        for number, start in enumerate(range(0, len(order), PART)):
            rows = order[start : start + PART]
            path = folder / f"{number:05d}.npy"
            part = _cached(path, (len(rows), teacher.dim))
            if part is None:
                part = teacher.encode([texts[row] for row in rows]).astype(np.float16)
                content = io.BytesIO()
                np.save(content, part)
                write_atomically(path, content.getvalue())
            embeddings[rows] = part
            progress.advance(len(rows))
    return embeddings


def _cached(path: Path, shape: tuple[int, int]) -> NDArray[np.float16] | None:
    if not path.exists():
        return None
    try:
        part: NDArray[np.float16] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise DamagedError(f"{path}: damaged ({error}); train from the beginning with --restart") from error
    if part.shape != shape or part.dtype != np.float16:
        raise DamagedError(
            f"{path}: {part.dtype} {part.shape} instead of {shape}; train from the beginning with --restart"
        )
    return part
