"""The losses and miners by name: definition, kinds of data and settings of each. Needs no torch."""

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
    """A loss with its default settings; None for a setting that it does not have."""

    name: str
    takes: tuple[Kind, ...]
    summary: str
    source: str
    """Paper and year."""
    margin: float | None = None
    """In the unit of its paper: distance, cosine, or degrees for angles."""
    temperature: float | None = None
    """Cosines are divided by it."""
    scale: float | None = None
    """Cosines are multiplied by it."""
    distance: Distance | None = None
    recommended: tuple[Kind, ...] = ()
    """The kinds of data for which it is the default, chosen by benchmarks/losses.py."""
    learns: bool = False
    """Whether it has parameters of its own, trained with the encoder and not exported."""
    mines: bool = False
    """Whether a miner can select its triplets or pairs."""
    remembers: bool = False
    """Whether it takes a cross-batch memory of past embeddings."""

    @property
    def settings(self) -> str:
        """As "margin 0.2, distance squared"."""
        named = {
            "margin": self.margin,
            "temperature": self.temperature,
            "scale": self.scale,
            "distance": self.distance,
        }
        shown = [
            f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
            for name, value in named.items()
            if value is not None
        ]
        return ", ".join(shown) or "none"


@dataclass(frozen=True, slots=True)
class MinerEntry:
    """A strategy that selects triplets of a batch."""

    name: str
    summary: str
    source: str


_OF_PAIRS: tuple[Kind, ...] = ("classes", "pairs", "unlabelled")
_OF_LABELS: tuple[Kind, ...] = ("classes", "unlabelled")

_LOSSES = (
    LossEntry(
        "classifier",
        ("classes",),
        "cross-entropy over the scaled cosines to a learned proxy of each class",
        "Wang et al. 2018",
        scale=8.0,
        learns=True,
    ),
    LossEntry(
        "arcface",
        ("classes",),
        "classifier with an angular margin added for the item's own class",
        "Deng et al. 2019",
        margin=28.6,
        scale=16.0,
        learns=True,
    ),
    LossEntry(
        "proxy-anchor",
        ("classes",),
        "each class proxy pulls its positives and pushes its negatives, hard ones more",
        "Kim et al. 2020",
        margin=0.1,
        scale=32.0,
        learns=True,
    ),
    LossEntry(
        "supervised-contrastive",
        _OF_LABELS,
        "cross-entropy of all positives of an anchor against the rest of the batch",
        "Khosla et al. 2020",
        temperature=0.1,
        remembers=True,
    ),
    LossEntry(
        "infonce",
        ("classes", "triplets", "unlabelled"),
        "cross-entropy of one positive against the in-batch negatives (N-pair loss)",
        "Sohn 2016, van den Oord et al. 2018",
        temperature=0.1,
        recommended=("classes", "triplets", "unlabelled"),
        remembers=True,
    ),
    LossEntry(
        "multi-similarity",
        _OF_LABELS,
        "positives and negatives weighted by their own and their relative similarities",
        "Wang et al. 2019",
        margin=0.5,
        scale=50.0,
        remembers=True,
    ),
    LossEntry(
        "triplet",
        ("classes", "triplets", "unlabelled"),
        "the positive closer to the anchor than the negative by a margin, or softplus",
        "Schroff et al. 2015",
        margin=0.2,
        distance="squared",
        mines=True,
        remembers=True,
    ),
    LossEntry(
        "angular",
        ("classes", "triplets", "unlabelled"),
        "bounds the angle at the negative of the triangle with anchor and positive",
        "Wang et al. 2017",
        margin=45.0,
        remembers=True,
    ),
    LossEntry(
        "lifted",
        _OF_LABELS,
        "each positive pair against all in-batch negatives of both items",
        "Oh Song et al. 2016",
        margin=1.0,
        remembers=True,
    ),
    LossEntry(
        "contrastive",
        _OF_PAIRS,
        "positive pairs are pulled together, negative pairs pushed apart up to a margin",
        "Hadsell et al. 2006",
        margin=1.0,
        mines=True,
        remembers=True,
    ),
    LossEntry(
        "dot",
        _OF_PAIRS,
        "the dot product of a pair is regressed on its label, 1 (same) or 0 (different)",
        "least squares",
        mines=True,
        remembers=True,
    ),
    LossEntry(
        "bce",
        ("classes", "pairs", "graded", "unlabelled"),
        "binary cross-entropy of the scaled cosine of a pair; the scale is learned or given",
        "Koch et al. 2015",
        scale=8.0,
        recommended=("pairs", "graded"),
        learns=True,
        mines=True,
        remembers=True,
    ),
    LossEntry("cosine", ("graded",), "the cosine of a pair is regressed on its grade", "Reimers and Gurevych 2019"),
    LossEntry(
        "cosent",
        ("pairs", "graded"),
        "ranking loss: pairs of higher grade get higher cosines",
        "Su 2022",
        scale=20.0,
    ),
)

LOSSES: Mapping[str, LossEntry] = MappingProxyType({entry.name: entry for entry in _LOSSES})

_MINERS = (
    MinerEntry("all", "every triplet of the batch", "Hermans et al. 2017"),
    MinerEntry("hard", "hardest positive and hardest negative of each anchor", "Hermans et al. 2017"),
    MinerEntry(
        "semi-hard", "hardest negative of each positive pair that is farther than the positive", "Schroff et al. 2015"
    ),
    MinerEntry(
        "distance-weighted", "a negative of each positive pair, sampled uniformly over distances", "Wu et al. 2017"
    ),
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
    """Raises UsageError for a loss that takes no cross-batch memory."""
    if not loss_entry(name).remembers:
        able = ", ".join(entry.name for entry in LOSSES.values() if entry.remembers)
        raise UsageError(f"Loss {name!r} takes no cross-batch memory; those that do: {able}")


def require_kind(name: str, kind: Kind) -> None:
    """Raises UsageError when the loss does not learn from this kind of data, naming those that do."""
    if kind not in loss_entry(name).takes:
        raise UsageError(f"Loss {name!r} does not learn from {kind}; those that do: {', '.join(losses_for(kind))}")


def loss_rows() -> Sequence[tuple[str, ...]]:
    """The printed table of losses, header first: name, data (* where it is the default), settings, definition."""
    rows = [("loss", "data (* default)", "settings", "definition")]
    for entry in LOSSES.values():
        kinds = ", ".join(f"{kind}*" if kind in entry.recommended else kind for kind in entry.takes)
        rows.append((entry.name, kinds, entry.settings, f"{entry.summary} ({entry.source})"))
    return rows


def miner_rows() -> Sequence[tuple[str, ...]]:
    """The printed table of miners, header first: name, what it selects."""
    return [("miner", "what it selects"), *[(e.name, f"{e.summary} ({e.source})") for e in MINERS.values()]]
