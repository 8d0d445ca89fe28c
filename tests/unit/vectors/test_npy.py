"""The heads of .npy files."""

from __future__ import annotations

import io
import threading

import numpy as np
import pytest

from simsearch.vectors.npy import read_head


def saved(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype="<f4").reshape(2, 3),
        np.arange(6, dtype=">i8"),
        np.asfortranarray(np.ones((3, 2))),
        np.array(["a", "long word"]),
        np.array([True, False]),
        np.zeros((0, 5), dtype=np.float16),
        np.array(3.5),
        np.zeros((1,) * 30),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape[:3]}",
)
def test_a_head_is_read_as_numpy_does(array) -> None:
    stream = io.BytesIO(saved(array))
    shape, kind, fortran = read_head(stream)
    assert (shape, kind) == (array.shape, array.dtype)
    assert fortran == (array.flags.f_contiguous and not array.flags.c_contiguous)
    found = np.frombuffer(stream.read(), dtype=kind).reshape(shape, order="F" if fortran else "C")
    assert np.array_equal(found, array)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"PK\x03\x04" * 9,
        saved(np.ones(3))[:40],
        saved(np.ones(3)).replace(b"False", b"Maybe"),
        saved(np.ones(3)).replace(b"'<f8'", b"'|O' "),
        saved(np.zeros(2, dtype=[("a", "<i4"), ("b", "<f4")])),
    ],
    ids=range(7),
)
def test_anything_else_is_refused(content) -> None:
    with pytest.raises(ValueError, match=r"it |its head"):
        read_head(io.BytesIO(content))


def test_threads_read_heads_together() -> None:
    content, wrong = saved(np.ones((4, 5))), list[object]()

    def read() -> None:
        for _ in range(2_000):
            if read_head(io.BytesIO(content))[0] != (4, 5):
                wrong.append(1)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
