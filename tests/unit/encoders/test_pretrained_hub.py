"""Names on the hub: from a server that plays it, from the cache, and what is said when neither has the model."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from simsearch.encoders import open_encoder, pretrained_hub
from simsearch.encoders.pretrained_hub import find_pretrained, is_hub_name
from simsearch.errors import EncoderError

NAME = "someone/tiny"
REVISION = "c0ffee" + "0" * 34


@dataclass
class Hub:
    """A server that has one model, and remembers which of its files were asked for."""

    folder: Path
    status: int = 200
    asked: list[str] = field(default_factory=list)

    def answer(self, handler: BaseHTTPRequestHandler, *, body: bool) -> None:
        path = handler.path.partition("?")[0]
        file = self.folder / path.partition(f"/resolve/{REVISION}/")[2]
        if path.startswith(f"/api/models/{NAME}") and self.status == 200:
            files = [each for each in self.folder.iterdir() if each.is_file()]
            names = [{"rfilename": each.name} for each in files]
            tree = [{"type": "file", "path": each.name, "oid": "0", "size": each.stat().st_size} for each in files]
            known = tree if "/tree/" in path else {"id": NAME, "sha": REVISION, "siblings": names}
            self.send(handler, json.dumps(known).encode(), body=True)
        elif path.startswith(f"/{NAME}/resolve/") and file.is_file() and self.status == 200:
            self.asked.append(file.name)
            self.send(handler, file.read_bytes(), body=body)
        else:
            handler.send_response(404 if self.status == 200 else self.status)
            if self.status in (200, 401):
                handler.send_header("X-Error-Code", "RepoNotFound")
            elif self.status == 403:
                handler.send_header("X-Error-Code", "GatedRepo")
            handler.send_header("Content-Length", "0")
            handler.end_headers()

    def send(self, handler: BaseHTTPRequestHandler, content: bytes, *, body: bool) -> None:
        handler.send_response(200)
        handler.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        handler.send_header("X-Repo-Commit", REVISION)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        if body:
            handler.wfile.write(content)


@pytest.fixture
def hub(hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    from huggingface_hub import constants

    made = Hub(shutil.copytree(hub_models["dinov2"], tmp_path / "model"))
    (made.folder / "pytorch_model.bin").write_bytes(b"a pickle")
    (made.folder / "model.onnx").write_bytes(b"another network")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self, body=True)

        def do_HEAD(self) -> None:
            made.answer(self, body=False)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(constants, "ENDPOINT", endpoint)
        files = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace("https://huggingface.co", endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_a_model_is_downloaded_once_and_without_its_pickle(
    hub: Hub, hub_models: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path / "cache"))
    encoder = open_encoder(NAME)
    local = open_encoder(hub_models["dinov2"])
    assert (encoder.name, encoder.fingerprint) == (NAME, local.fingerprint)
    assert encoder.folder == local.folder
    assert set(hub.asked) == {"config.json", "model.safetensors", "preprocessor_config.json"}
    hub.asked.clear()
    hub.status = 500
    assert open_encoder(NAME).fingerprint == local.fingerprint
    assert not hub.asked


def test_a_cache_with_a_part_of_the_model_is_completed(hub: Hub) -> None:
    from huggingface_hub import snapshot_download

    cached = Path(snapshot_download(NAME, allow_patterns=["config.json"]))
    assert [path.name for path in cached.iterdir()] == ["config.json"]
    assert find_pretrained(NAME).modality == "image"
    assert "model.safetensors" in hub.asked


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (200, "No encoder 'someone/other': neither a local folder nor a model on the hub"),
        (403, "someone/other: the model is gated; accept its terms on its page and log in"),
    ],
)
def test_what_the_hub_refuses_is_told(status: int, message: str, hub: Hub) -> None:
    hub.status = status
    with pytest.raises(EncoderError) as told:
        open_encoder("someone/other")
    assert str(told.value) == message


def test_a_silent_hub_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(pretrained_hub, "PATIENCE", 0.1)
        with pytest.raises(
            EncoderError, match=r"^No encoder 'someone/tiny': .*cannot be reached \(timed out\): connect"
        ):
            open_encoder(NAME)
        silent.setblocking(False)
        silent.accept()[0].close()
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_offline_is_told_in_one_line(tmp_path: Path, draw: Callable[..., Path]) -> None:
    draw(tmp_path / "pics" / "a.png", 1)
    environment = {
        **os.environ,
        "SIMSEARCH_CACHE": str(tmp_path / "cache"),
        "HF_HOME": str(tmp_path / "home"),
        "HF_ENDPOINT": "http://127.0.0.1:9",
    }
    for offline, reason in (("0", "the hub cannot be reached"), ("1", "HF_HUB_OFFLINE forbids downloading it")):
        done = subprocess.run(
            [sys.executable, "-m", "simsearch", "index", "pics", "--encoder", NAME],
            cwd=tmp_path,
            env={**environment, "HF_HUB_OFFLINE": offline},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 1 and done.stdout == ""
        assert done.stderr.startswith(f"Error: No encoder '{NAME}': neither a local folder nor in the hub's cache")
        assert reason in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "indexes").exists()


def test_a_mistyped_folder_is_not_sought_on_the_hub(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "someone").mkdir()
    monkeypatch.setenv("SIMSEARCH_CACHE", str(tmp_path / "cache"))
    with pytest.raises(EncoderError, match="someone is a local folder, without a model in someone/tiny"):
        open_encoder(NAME)
    assert not hub.asked


def test_names_of_the_hub_have_an_owner_and_a_model() -> None:
    for name in ("facebook/dinov2-small", "openai/clip-vit-base-patch32", "sentence-transformers/all-MiniLM-L6-v2"):
        assert is_hub_name(name)
    for name in ("photo", "a/b/c", "/a/b", "./a", "../a", "a/", "/a", "~/a", "a b/c", "a/b\n", "é/b"):
        assert not is_hub_name(name)
