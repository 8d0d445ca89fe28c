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
"""What reads and converts models of the hub."""
WANTED = ("*.json", "*.safetensors", "*.txt", "*.model")
UNWANTED = ("onnx/*", "openvino/*", "*.onnx*", "checkpoint*/*")
PATIENCE = 5.0
"""Seconds that the hub may take for each step of its first answer."""
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[\w.-]+", re.ASCII)


def is_hub_name(name: str) -> bool:
    """Whether the name has the form OWNER/MODEL of the hub. Asks nobody."""
    return _NAME.fullmatch(name) is not None


def find_pretrained(name: str) -> PretrainedFolder:
    """The folder of a model, by its path or its name on the hub, from which it is downloaded if it must be.

    Raises EncoderError for a model that cannot be had or used, MissingExtraError without the libraries for it.
    """
    path = Path(name)
    local = is_hub_format(path)
    if not all(_installed(library) for library in LIBRARIES):
        what = f"The pretrained model {name}" if local else f"{name!r} is no encoder here; a model of the hub"
        raise MissingExtraError(what, "pretrained")
    return read_folder(path, str(path.absolute())) if local else read_folder(hub_folder(name), name)


def _installed(library: str) -> bool:
    try:
        return find_spec(library) is not None
    except (ImportError, ValueError):
        return False


def hub_folder(name: str) -> Path:
    """The folder of a model of the hub. One in the cache is used as it is, whatever the hub has by now.

    Else the hub is asked once, and what the model needs is downloaded. Raises EncoderError of one line when it
    cannot be, after some seconds at most where the hub does not answer.
    """
    from huggingface_hub import try_to_load_from_cache

    for file in (CONFIG, MODULES):
        cached = try_to_load_from_cache(name, file)
        # Another program may have asked for a part of the model only.
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
        # Somebody who mistypes a folder has not asked for a stranger's model of that name.
        raise EncoderError(f"No encoder {name!r}: {owner} is a folder here, without a model in {name}")
    try:
        # Downloading tries again for minutes when the hub is silent; this asks once.
        HfApi().model_info(name, timeout=PATIENCE)
        return Path(snapshot_download(name, allow_patterns=list(WANTED), ignore_patterns=list(UNWANTED)))
    except GatedRepoError as error:
        raise EncoderError(f"{name}: its owner wants to be asked; accept the terms on its page and log in") from error
    except RepositoryNotFoundError as error:
        raise EncoderError(f"No encoder {name!r}: neither a folder here nor a model on the hub") from error
    except OfflineModeIsEnabled as error:
        raise EncoderError(f"{_not_here(name)}, and HF_HUB_OFFLINE forbids to download it: {_cure(name)}") from error
    except unreachable as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise EncoderError(
            f"{_not_here(name)}, and the hub cannot be reached ({reason:.100}): {_cure(name)}"
        ) from error


def _not_here(name: str) -> str:
    return f"No encoder {name!r}: neither a folder nor in the hub's cache here"


def _cure(name: str) -> str:
    return f"connect and try again, or give the folder of a copy (huggingface-cli download {name} --local-dir FOLDER)"
