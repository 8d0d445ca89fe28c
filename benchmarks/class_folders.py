"""Class folders, and few-shot accuracy by the nearest class mean."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simsearch.media.formats import IMAGE_SUFFIXES
from simsearch.media.scan import scan
from simsearch.types import Skip

DRAWS = 100


def files_of(folder: Path) -> tuple[list[str], NDArray[np.int64]]:
    """The files of class folders without byte-identical duplicates, and the number of the class of each."""
    files, labels, seen = [], [], set()
    for number, place in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        for path in sorted(entry.path for entry in scan(place, IMAGE_SUFFIXES) if not isinstance(entry, Skip)):
            if (content := Path(path).read_bytes()) not in seen:
                seen.add(content)
                files.append(str(path))
                labels.append(number)
    return files, np.array(labels)


def recognized(vectors: NDArray[np.float32], labels: NDArray[np.int64], shots: int) -> float:
    """The accuracy of classification by the nearest mean of `shots` examples of each class, over random draws."""
    rng, right = np.random.default_rng(0), []
    for _ in range(DRAWS):
        chosen = np.stack([rng.permutation(np.flatnonzero(labels == number))[:shots] for number in np.unique(labels)])
        means = vectors[chosen].mean(axis=1)
        means /= np.linalg.norm(means, axis=1, keepdims=True)
        others = np.setdiff1d(np.arange(len(labels)), chosen)
        right.append(np.mean((vectors[others] @ means.T).argmax(axis=1) == labels[others]))
    return float(np.mean(right))
