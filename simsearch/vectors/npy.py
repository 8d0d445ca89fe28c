"""The head of a .npy file, read without evaluating it.

NumPy lets Python parse it as a literal, which in Python 3.11 fails at times when two threads do so at once.
"""

from __future__ import annotations

import re
import struct
from typing import IO, Any

import numpy as np

MAGIC = b"\x93NUMPY"
LONGEST = 65_536
_HEAD = re.compile(
    r"\{'descr': '([<>|=]?[a-zA-Z]\d*)', 'fortran_order': (True|False), 'shape': \(([\d, ]*)\),? *\} *\n?"
)


def read_head(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any], bool]:
    """The shape, the type, and whether the first axis is the fastest; the stream is behind the head then.

    Raises ValueError for anything else than an array of a plain type.
    """
    start = stream.read(8)
    if start[:6] != MAGIC or len(start) < 8:
        raise ValueError("it does not begin as a .npy does")
    wide = start[6] > 1
    size = stream.read(4 if wide else 2)
    (length,) = struct.unpack("<I" if wide else "<H", size) if len(size) == (4 if wide else 2) else (0,)
    head = stream.read(min(length, LONGEST)).decode("latin-1")
    found = _HEAD.fullmatch(head)
    if found is None:
        raise ValueError("its head is damaged, or not that of an array of a plain type")
    kind = np.dtype(found[1])
    if kind.hasobject:
        raise ValueError("it holds objects of Python, which could run code")
    shape = tuple(int(number) for number in found[3].split(",") if number.strip())
    return shape, kind, found[2] == "True"
