"""simsearch index --watch."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_follows_until_it_is_asked_to_stop(place, gallery, draw, tiny, number):
    words = ["index", gallery, "--encoder", tiny, "--watch", "--json", "--quiet"]
    line = [sys.executable, "-m", "simsearch", *map(str, words)]
    with subprocess.Popen(line, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as child:
        assert json.loads(child.stdout.readline())["added"] == 8
        draw(gallery / "new.png", 90)
        (gallery / "bad.png").write_bytes(b"\x89PNG broken")
        assert json.loads(child.stdout.readline())["added"] == 1
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    last = json.loads(out.splitlines()[-1])
    assert (child.returncode, last["stopped"], last["items"], last["added"]) == (0, True, 9, 1)
    assert err.count("bad.png") == 1


def test_files_are_not_followed(command, gallery, tiny):
    assert command("index", gallery / "0.png", "--encoder", tiny, "--watch").code == 2
    assert command("info").code == 1
