"""How a server listens, what it allows, and its limits."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field
from pathlib import Path

LOOPBACK = "127.0.0.1"
PORT = 8765


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request, and all together, may take."""

    body_bytes: int = 64 * 2**20
    """Bytes of one body."""
    held_bytes: int = 256 * 2**20
    """Bytes of all bodies that are held at the same time."""
    pixels: int = 64_000_000
    """Pixels of an uploaded picture, by its header."""
    files: int = 64
    """Files of one request."""
    read_seconds: float = 30.0
    """For the whole body of a request to arrive."""
    head_seconds: float = 10.0
    """For the head of a request to arrive, and for an idle connection."""
    send_seconds: float = 60.0
    """For any part of an answer to be taken by the client."""
    answer_seconds: float = 60.0
    """For a query to be answered, waiting included."""
    batch: int = 64
    """Queries that are encoded and searched together."""
    queue: int = 512
    """Queries that wait; others are turned away."""
    connections: int = 512

    @classmethod
    def for_uploads(cls, body_bytes: int) -> Limits:
        """The usual limits, for bodies of so many bytes; at least two such fit into memory at the same time."""
        return cls(body_bytes=body_bytes, held_bytes=max(cls().held_bytes, 2 * body_bytes))


@dataclass(frozen=True, slots=True)
class ServeSettings:
    """`token` opens everything. With `guarded` it is asked of every caller, else only for changes."""

    host: str = LOOPBACK
    port: int = PORT
    token: str = ""
    guarded: bool = False
    read_only: bool = False
    allowed_hosts: tuple[str, ...] = ()
    allowed_folders: tuple[Path, ...] = ()
    limits: Limits = field(default_factory=Limits)


def is_loopback(host: str) -> bool:
    """Whether only programs of this machine can reach a host of this name."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False
