"""The losses and miners by name: what each is, which data it learns from, and what its settings are. Needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

from simsearch.errors import UsageError
from simsearch.labelled.material import Kind

Distance = Literal["l2", "squared", "cosine"]

DISTANCES: tuple[Distance, ...] = get_args(Distance)
SOFT = "soft"
"""In place of a margin: log(1 + exp(x)) instead of max(0, margin + x) (Hermans et al. 2017, section 2)."""


@dataclass(frozen=True, slots=True)
class LossEntry:
    """A loss as people choose it. A setting that is None is one that the loss does not have."""

    name: str
    takes: tuple[Kind, ...]
    summary: str
    source: str
    """Paper and year."""
    margin: float | None = None
    """As its paper counts it: in distance, in cosine, or in degrees for angles."""
    temperature: float | None = None
    """Cosines are divided by it."""
    scale: float | None = None
    """Cosines are multiplied by it."""
    distance: Distance | None = None
    recommended: tuple[Kind, ...] = ()
    """The kinds of data for which it is the default, chosen by benchmarks/losses.py."""
    learns: bool = False
    """Whether it has parameters of its own, learned with the encoder and left behind with it."""
    mines: bool = False
    """Whether a miner can choose its triplets or pairs."""
    remembers: bool = False
    """Whether a batch of classes can also be compared with past batches."""

    @property
    def settings(self) -> str:
        """As "margin 0.2, distance squared"."""
        named = {
            "margin": self.margin, "temperature": self.temperature, "scale": self.scale, "distance": self.distance,
        }  # fmt: skip
        shown = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in named.items()
            if value is not None
        ]
        return ", ".join(shown) or "none"


@dataclass(frozen=True, slots=True)
class MinerEntry:
    """A way to choose among the triplets of a batch."""

    name: str
    summary: str
    source: str


_OF_PAIRS: tuple[Kind, ...] = ("classes", "pairs", "unlabelled")
_OF_LABELS: tuple[Kind, ...] = ("classes", "unlabelled")

_LOSSES = (
    LossEntry(
        "classifier", ("classes",), "cross-entropy over the scaled cosines to one learned direction a class",
        "Wang et al. 2018", scale=8.0, learns=True,
    ),
    LossEntry(
        "arcface", ("classes",), "the same with an angle added between an item and the direction of its own class",
        "Deng et al. 2019", margin=28.6, scale=16.0, learns=True,
    ),
    LossEntry(
        "proxy-anchor", ("classes",), "a learned proxy of each class draws its items, the hardest most",
        "Kim et al. 2020", margin=0.1, scale=32.0, learns=True,
    ),
    LossEntry(
        "supervised-contrastive", _OF_LABELS, "each item picks all its class mates among all others of the batch",
        "Khosla et al. 2020", temperature=0.1, remembers=True,
    ),
    LossEntry(
        "infonce", ("classes", "triplets", "unlabelled"),
        "each item picks one mate among the strangers of the batch, as in N-pair",
        "Sohn 2016, van den Oord et al. 2018", temperature=0.1, recommended=("classes", "triplets", "unlabelled"),
        remembers=True,
    ),
    LossEntry(
        "multi-similarity", _OF_LABELS, "mates and strangers weighted by how wrong they are, alone and together",
        "Wang et al. 2019", margin=0.5, scale=50.0, remembers=True,
    ),
    LossEntry(
        "triplet", ("classes", "triplets", "unlabelled"), "a mate nearer than a stranger by a margin, hard or soft",
        "Schroff et al. 2015", margin=0.2, distance="squared", mines=True, remembers=True,
    ),
    LossEntry(
        "angular", ("classes", "triplets", "unlabelled"),
        "from a stranger a pair of mates is seen at a small angle", "Wang et al. 2017", margin=45.0, remembers=True,
    ),
    LossEntry(
        "lifted", _OF_LABELS, "each pair of mates against all strangers of both at once",
        "Oh Song et al. 2016", margin=1.0, remembers=True,
    ),
    LossEntry(
        "contrastive", _OF_PAIRS, "similar pairs are drawn together, others pushed a margin apart",
        "Hadsell et al. 2006", margin=1.0, mines=True, remembers=True,
    ),
    LossEntry(
        "dot", _OF_PAIRS, "the dot product of a pair is regressed on same (1) or different (0)",
        "least squares", mines=True, remembers=True,
    ),
    LossEntry(
        "bce", ("classes", "pairs", "graded", "unlabelled"),
        "cross-entropy of the probability that a pair is the same, by a learned or given scale",
        "Koch et al. 2015", scale=8.0, recommended=("pairs", "graded"), learns=True, mines=True, remembers=True,
    ),
    LossEntry("cosine", ("graded",), "the cosine of a pair is regressed on its grade", "Reimers and Gurevych 2019"),
    LossEntry(
        "cosent", ("pairs", "graded"), "pairs of a higher grade get higher cosines: only the order counts",
        "Su 2022", scale=20.0,
    ),
)  # fmt: skip

LOSSES: Mapping[str, LossEntry] = MappingProxyType({entry.name: entry for entry in _LOSSES})

_MINERS = (
    MinerEntry("all", "every triplet of the batch", "Hermans et al. 2017"),
    MinerEntry("hard", "for each item its farthest mate and its nearest stranger", "Hermans et al. 2017"),
    MinerEntry("semi-hard", "for each pair of mates the nearest stranger beyond them", "Schroff et al. 2015"),
    MinerEntry("distance-weighted", "for each pair of mates a stranger drawn evenly over distances", "Wu et al. 2017"),
)

MINERS: Mapping[str, MinerEntry] = MappingProxyType({entry.name: entry for entry in _MINERS})


def loss_entry(name: str) -> LossEntry:
    """The loss of this name. Raises UsageError listing all."""
    if name not in LOSSES:
        raise UsageError(f"No loss {name!r}; there are {', '.join(LOSSES)}")
    return LOSSES[name]


def losses_for(kind: Kind) -> tuple[str, ...]:
    """The names of the losses that learn from this kind of data, the recommended one first."""
    taking = [entry for entry in LOSSES.values() if kind in entry.takes]
    return tuple(entry.name for entry in sorted(taking, key=lambda entry: kind not in entry.recommended))


def default_loss(kind: Kind) -> str:
    """The loss recommended for this kind of data."""
    return losses_for(kind)[0]


def require_memory(name: str) -> None:
    """Raises UsageError where this loss does not compare a batch with past ones."""
    if not loss_entry(name).remembers:
        able = ", ".join(entry.name for entry in LOSSES.values() if entry.remembers)
        raise UsageError(f"Loss {name!r} compares with no past batches; those that do: {able}")


def require_kind(name: str, kind: Kind) -> None:
    """Raises UsageError when the loss does not learn from this kind of data, naming those that do."""
    if kind not in loss_entry(name).takes:
        raise UsageError(f"Loss {name!r} does not learn from {kind}; those that do: {', '.join(losses_for(kind))}")


def loss_rows() -> Sequence[tuple[str, ...]]:
    """The table of losses for people, its head first: name, data (* where it is the default), settings, what it is."""
    rows = [("loss", "learns from (* default)", "settings", "what it is")]
    for entry in LOSSES.values():
        kinds = ", ".join(f"{kind}*" if kind in entry.recommended else kind for kind in entry.takes)
        rows.append((entry.name, kinds, entry.settings, f"{entry.summary} ({entry.source})"))
    return rows


def miner_rows() -> Sequence[tuple[str, ...]]:
    """The table of miners for people, its head first: name, what it chooses."""
    return [("miner", "what it chooses"), *[(e.name, f"{e.summary} ({e.source})") for e in MINERS.values()]]
