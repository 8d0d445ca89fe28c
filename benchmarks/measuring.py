"""Common parts of the benchmarks: fresh processes, interleaved repetitions, and reports as text and as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("simsearch", "numpy", "pillow", "faiss-cpu", "onnxruntime", "torch")


@dataclass(frozen=True, slots=True)
class Bar:
    """A measured figure with its upper or lower limit."""

    name: str
    value: float
    at_most: float | None = None
    at_least: float | None = None
    spread: str = ""
    """Of a ratio of two sides: between which values the middle half of the turns lie."""

    @classmethod
    def ratio(
        cls,
        name: str,
        over: Sequence[float],
        under: Sequence[float],
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> Bar:
        """The median of the ratios of two sides that were measured in turns: both sides of a turn see one machine."""
        ratios = [a / b for a, b in zip(over, under, strict=True)]
        spread = ""
        if len(ratios) > 2:
            low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
            spread = f"half of {len(ratios)} turns {low:.3g} to {high:.3g}"
        return cls(name, statistics.median(ratios), at_most, at_least, spread)

    @property
    def met(self) -> bool:
        low = self.at_least is None or self.value >= self.at_least
        return low and (self.at_most is None or self.value <= self.at_most)

    def __str__(self) -> str:
        limits = [f"at most {self.at_most:g}"] if self.at_most is not None else []
        limits += [f"at least {self.at_least:g}"] if self.at_least is not None else []
        verdict = f" ({' and '.join(limits)}: {'met' if self.met else 'MISSED'})" if limits else ""
        return f"{self.name}: **{self.value:.3g}**{f', {self.spread}' if self.spread else ''}{verdict}"


def machine() -> str:
    """Processor count, system and versions; nothing that names a particular machine."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return f"{cpus} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}, {versions}"


def command() -> str:
    """The command line, with folders shortened to their names."""
    words = [Path(word).name if os.sep in word and Path(word).exists() else word for word in sys.argv[1:]]
    return " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *words])


@dataclass(frozen=True, slots=True)
class Report:
    """One benchmark: the claim, the data, a table whose first row names the columns, and the bars."""

    name: str
    claim: str
    source: str
    """What was measured on."""
    rows: Sequence[Sequence[str]]
    bars: Sequence[Bar] = ()
    remarks: Sequence[str] = ()
    machine: str = field(default_factory=machine)
    command: str = field(default_factory=command)

    def markdown(self) -> str:
        """The report as a section of Markdown."""
        head, *body = self.rows
        lines = [f"## {self.name}", "", self.claim, "", f"- Data: {self.source}", f"- Machine: {self.machine}"]
        lines += [f"- Command: `{self.command}`", "", line(head), line(["---"] + ["---:"] * (len(head) - 1))]
        lines += [line(row) for row in body]
        lines += ["", *[f"- {bar}" for bar in self.bars], *[f"- {remark}" for remark in self.remarks]]
        return "\n".join(lines) + "\n"

    def publish(self) -> None:
        """Prints the report and writes it to benchmarks/results/NAME.json."""
        print(self.markdown(), flush=True)
        RESULTS.mkdir(exist_ok=True)
        document = asdict(self) | {"met": all(bar.met for bar in self.bars)}
        text = json.dumps(document | {"markdown": self.markdown()}, indent=1)
        (RESULTS / f"{self.name}.json").write_text(text, encoding="utf-8")


def line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def interleaved(measurements: Mapping[str, Callable[[], T]], repetitions: int) -> dict[str, list[T]]:
    """What each measurement gives, `repetitions` times, in turns and in alternating order, so that all of them see the
    same machine."""
    taken: dict[str, list[T]] = {name: [] for name in measurements}
    for repetition in range(repetitions):
        order = list(measurements) if repetition % 2 == 0 else list(measurements)[::-1]
        for name in order:
            taken[name].append(measurements[name]())
    return taken


def timed_rows(taken: Mapping[str, Sequence[float]], unit: float = 1.0) -> Iterator[tuple[str, str, str, str]]:
    """Name, median, fastest and slowest of each measurement, in seconds times `unit`."""
    for name, seconds in taken.items():
        values = (statistics.median(seconds), min(seconds), max(seconds))
        yield (name, *[f"{value * unit:,.3g}" if value * unit < 100 else f"{value * unit:,.0f}" for value in values])


def process_seconds(words: Sequence[str | Path], environment: Mapping[str, str] | None = None) -> float:
    """The wall time of a whole process, which must succeed."""
    started = time.perf_counter()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL, env=dict(environment or os.environ))
    return time.perf_counter() - started


def python(*words: str | Path) -> list[str | Path]:
    return [sys.executable, *words]


def reported_seconds(words: Sequence[str | Path]) -> float:
    """The number that a fresh process prints as its last line: it measures itself without its start."""
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return float(done.stdout.split()[-1])
