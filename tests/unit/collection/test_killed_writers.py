"""Writers that are killed while eight readers look on; `benchmarks/faults.py` does the same for longer."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

FAULTS = Path(__file__).parent.parent.parent.parent / "benchmarks" / "faults.py"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows renames no folder in which a reader has a file open")
def test_kills_lose_nothing_and_readers_are_answered_from_one_state(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("faults", FAULTS)
    assert spec is not None and spec.loader is not None
    faults = importlib.util.module_from_spec(spec)
    sys.modules["faults"] = faults
    spec.loader.exec_module(faults)
    found = faults.trial(tmp_path, 2, 5, readers=4, longest=1.2)
    assert found.violations == []
    assert found.answers > 8
