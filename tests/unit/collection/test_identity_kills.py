"""A kill at any moment of a change of identities leaves them as before or as after."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from simsearch.collection import Collection
from simsearch.recognition.decide import top_scores
from simsearch.recognition.gallery import RULE, Gallery

DIM = 4
WORKER = """
import os, shutil, signal, sys
from pathlib import Path
import numpy as np
from simsearch.collection import Collection

NEW = np.ones((1, 4), np.float32)
CHANGES = {
    "merge": lambda people: people.merge("Anna", "Ana"),
    "forget": lambda people: people.forget("Ana"),
    "rename": lambda people: people.rename("Ana", "Bela"),
    "enroll": lambda people: people.enroll("Ana", NEW),
}
original, what = Path(sys.argv[1]), sys.argv[2]

def run(folder, last):
    # Calls since each commit are counted; at the one that is named this process is killed. The event comes before the
    # call, so that (2, 0) is just before the second commit, and (2, 1) just after it.
    counts = [0]
    def each(frame, event, called):
        if event == "c_call" and called.__name__ == "commit":
            counts.append(0)
        elif event in ("call", "c_call"):
            counts[-1] += 1
        if (len(counts) - 1, counts[-1]) == last:
            os.kill(os.getpid(), signal.SIGKILL)
    with Collection.open(folder) as people:
        sys.setprofile(each)
        CHANGES[what](people)
        sys.setprofile(None)
    return counts

# The first run also imports modules, which the later ones find imported.
for name in ("first", "whole"):
    shutil.copytree(original, original.with_name(name))
    counts = run(original.with_name(name), None)
points = {(number, at) for number, count in enumerate(counts) for at in (0, 1, count // 2)}
for point in sorted(points - {(0, 0)}):
    folder = original.with_name(f"killed-{point[0]:03}-{point[1]:06}")
    shutil.copytree(original, folder)
    child = os.fork()
    if not child:
        run(folder, point)
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three identities, one of which shares an example with another, and a calibration."""
    folder = tmp_path_factory.mktemp("kills") / "people"
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(8, DIM)).astype(np.float32)
    with Collection.create(folder, dim=DIM) as made:
        made.enroll("Ana", rows[:3])
        made.enroll("Anna", rows[2:5])
        made.enroll("Cy", rows[5:])
        made.calibrate(0.2, impostors=rng.normal(size=(30, DIM)).astype(np.float32))
    return folder


def state(folder: Path) -> list[tuple[str, int]]:
    with Collection.open(folder) as opened:
        assert opened.check().clean
        stored = opened.store.tops()
        assert stored is not None
        assert stored.gallery == opened.store.gallery_generation()
        scores = top_scores(stored.vectors, Gallery.of(*opened.store.examples()), RULE)
        np.testing.assert_allclose(stored.scores, scores, atol=1e-6, rtol=0)
        return [(each.label, each.id) for each in opened.examples()]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has neither fork nor SIGKILL")
@pytest.mark.parametrize("what", ["merge", "forget", "rename", "enroll"])
def test_identities_are_as_before_or_as_after(people: Path, what: str, tmp_path: Path) -> None:
    original = tmp_path / "people"
    original.symlink_to(people)
    before = state(people)
    done = subprocess.run(
        [sys.executable, "-c", WORKER, str(original), what], capture_output=True, text=True, timeout=120, check=True
    )
    codes = done.stdout.split()
    folders = sorted(tmp_path.glob("killed-*"))
    assert len(codes) == len(folders)
    assert set(codes) == {"-9"}
    assert len(codes) >= 5
    after = state(tmp_path / "whole")
    assert after != before
    found = [state(folder) for folder in folders]
    assert all(each in (before, after) for each in found)
    # The later the kill, the more is done, and never less.
    assert found == sorted(found, key=lambda each: each == after)
    assert before in found
    assert after in found
    if what == "forget":
        with Collection.open(folders[-1]) as opened:
            assert opened.forgotten("Ana").clean
