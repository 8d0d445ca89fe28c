"""Arrays in files, with their space on the disk reserved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.errors import TrainingError
from simsearch.space import disk_is_full, missing_space, reserve

if TYPE_CHECKING:
    from numpy.typing import DTypeLike


def reserved_array(path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, np.dtype[Any]]:
    """A new array of zeros in the file `path`, memory-mapped for writing.

    Raises TrainingError, with the file removed, when the disk has not the space for it.
    """
    array = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    size = array.offset + array.nbytes
    # Windows neither resizes nor removes a file that is mapped.
    del array
    try:
        reserve(path, size)
    except OSError as error:
        path.unlink(missing_ok=True)
        if not disk_is_full(error):
            raise
        raise TrainingError(
            f"{path}: {missing_space(path.parent, size)}; free some space, choose another disk for -o, or train on "
            "fewer inputs"
        ) from error
    return np.lib.format.open_memmap(path, mode="r+")
