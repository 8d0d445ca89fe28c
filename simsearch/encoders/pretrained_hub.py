"""Models of the Hugging Face hub by name: from the cache, or downloaded once."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from simsearch.encoders.pretrained_folder import (
    CONFIG,
    MODULES,
    PretrainedFolder,
    is_complete,
    is_hub_format,
    read_folder,
)
from simsearch.errors import EncoderError, MissingExtraError

LIBRARIES = ("torch", "transformers", "sentence_transformers", "accelerate", "onnx", "onnxscript")
"""The libraries that load and convert models of the hub."""
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")
UNWANTED = ("onnx/*", "openvino/*", "*.onnx*", "checkpoint*/*")
PATIENCE = 5.0
"""Timeout in seconds of the first request to the hub."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


def is_hub_name(name: str) -> bool:
    """Whether the name has the form OWNER/MODEL of the hub. Makes no request."""
    return _NAME.fullmatch(name) is not None


def find_pretrained(name: str) -> PretrainedFolder:
    """The folder of a model, by its path or its name on the hub, downloaded if necessary.

    Raises EncoderError for a model that is not available or not supported, MissingExtraError without the libraries.
    """
    path = Path(name)
    local = is_hub_format(path)
    if not all(_installed(library) for library in LIBRARIES):
        what = f"The pretrained model {name}" if local else f"{name!r} is not a local encoder; a model of the hub"
        raise MissingExtraError(what, "pretrained")
    return read_folder(path, str(path.absolute())) if local else read_folder(hub_folder(name), name)


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def hub_folder(name: str) -> Path:
    """The folder of a model of the hub. A cached one is used without asking the hub for a newer version.

    Else one request is made, and the files of the model are downloaded. Raises EncoderError with one line when that is
    impossible, after a few seconds if the hub does not answer.
    """
    from huggingface_hub import try_to_load_from_cache

    for file in (CONFIG, MODULES):
        cached = try_to_load_from_cache(name, file)
        # Another program may have downloaded only a part of the model.
        if isinstance(cached, str) and is_complete(Path(cached).parent):
            return Path(cached).parent
    return _download(name)


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, OfflineModeIsEnabled, RepositoryNotFoundError

    # OSError, and the base of all errors of the HTTP library that is in use: its name differs by version.
    unreachable: tuple[type[Exception], ...] = HfHubHTTPError.__bases__
    owner = Path(name).parent
    if owner.is_dir():
        # A mistyped path must not download a model of that name.
        raise EncoderError(f"No encoder {name!r}: {owner} is a local folder, without a model in {name}")
    try:
        # The download would retry for minutes when the hub does not answer; this request is made once.
        HfApi().model_info(name, timeout=PATIENCE)
        return Path(snapshot_download(name, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED)))
    except GatedRepoError as error:
        raise EncoderError(f"{name}: the model is gated; accept its terms on its page and log in") from error
    except RepositoryNotFoundError as error:
        raise EncoderError(f"No encoder {name!r}: neither a local folder nor a model on the hub") from error
    except OfflineModeIsEnabled as error:
        raise EncoderError(f"{_not_here(name)}, and HF_HUB_OFFLINE forbids downloading it: {_cure(name)}") from error
    except unreachable as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EncoderError(
            f"{_not_here(name)}, and the hub cannot be reached ({reason:.100}): {_cure(name)}"
        ) from error


def _not_here(name: str) -> str:
    return f"No encoder {name!r}: neither a local folder nor in the hub's cache"


def _cure(name: str) -> str:
    return f"connect and try again, or give the folder of a copy (huggingface-cli download {name} --local-dir FOLDER)"
