"""Progress of long work, on standard error."""

from __future__ import annotations

from typing import Protocol, Self


class Progress(Protocol):
    """Something that counts finished units. Used as a context manager."""

    def start(self, total: int | None, unit: str, description: str) -> None: ...
    def advance(self, n: int = 1) -> None: ...
    def note(self, text: str) -> None:
        """Show `text` beside the count (a loss, a figure)."""
        ...

    def close(self) -> None: ...


class Silent:
    """Shows nothing."""

    def start(self, total: int | None, unit: str, description: str) -> None:
        del total, unit, description

    def advance(self, n: int = 1) -> None:
        del n

    def note(self, text: str) -> None:
        del text

    def close(self) -> None:
        return None


class Bar:
    """A tqdm bar on standard error; when that is no terminal, at most one line every ten seconds."""

    def __init__(self) -> None:
        self._bar: _Tqdm | None = None

    def start(self, total: int | None, unit: str, description: str) -> None:
        import sys

        from tqdm import tqdm

        self.close()
        interval = 0.1 if sys.stderr.isatty() else 10.0
        self._bar = tqdm(
            total=total, unit=f" {unit}", desc=description, mininterval=interval, maxinterval=10.0, file=sys.stderr
        )

    def advance(self, n: int = 1) -> None:
        if self._bar is not None:
            self._bar.update(n)

    def note(self, text: str) -> None:
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None


class _Tqdm(Protocol):
    def update(self, n: float | None = 1) -> bool | None: ...
    def set_postfix_str(self, s: str = "", refresh: bool = True) -> None: ...
    def close(self) -> None: ...


class Working:
    """Context manager that starts a progress display and closes it whatever happens."""

    def __init__(self, progress: Progress, total: int | None, unit: str, description: str) -> None:
        self.progress = progress
        self._start = (total, unit, description)

    def __enter__(self) -> Self:
        self.progress.start(*self._start)
        return self

    def __exit__(self, *exc: object) -> None:
        self.progress.close()
