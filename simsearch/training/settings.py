"""The settings of a training run: the one record from which `simsearch train` makes its options and reads `--set`, and
from which `Changes` and `Reading` are filled. Needs neither torch nor numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simsearch.errors import UsageError

Value = float | str | tuple[float, ...]
Group = Literal["changes", "reading", "run"]
"""What a setting belongs to: `recipes.Changes`, `data.reading.Reading`, or `train` itself."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting by its name in Python, with the form of its value on the command line."""

    name: str
    form: str
    """A key of PARSERS, or else the possible values between bars."""
    help: str
    group: Group = "changes"
    option: bool = False
    """Whether `simsearch train` has an option of this name; the others are given with --set."""

    def parsed(self, text: str) -> Value:
        """The value that this text stands for. Raises UsageError for one of another form."""
        try:
            return PARSERS[self.form](text) if self.form in PARSERS else self._chosen(text)
        except ValueError:
            raise UsageError(f"{self.name} must be {self.form}, not {text!r}") from None

    def _chosen(self, text: str) -> str:
        if text not in self.form.split("|"):
            raise ValueError(text)
        return text


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(text)
    return text == "true"


def _numbers(text: str, count: int) -> tuple[float, ...]:
    numbers = tuple(float(part) for part in text.split(","))
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(text)
    return numbers


PARSERS: Mapping[str, Callable[[str], Value]] = MappingProxyType({
    "N": int,
    "NUMBER": float,
    "TEXT": str,
    "true|false": _truth,
    "NUMBER|soft": lambda text: text if text == "soft" else float(text),
    "LOW,HIGH": lambda text: _numbers(text, 2),
    "TRAIN,VALIDATION,TEST": lambda text: _numbers(text, 3),
})  # fmt: skip

SETTINGS = (
    Setting("kind", "classes|pairs|graded|triplets|unlabelled",
            "What the source holds, where its columns leave it open.", "reading", option=True),
    Setting("modality", "image|text", "What its files are, if both could be.", "reading", option=True),
    Setting("columns", "TEXT", "Names of the columns, or ROLE=NAME,...; see the guide.", "reading", option=True),
    Setting("convention", "same|different",
            "What 1 means in a pair file whose column is not named same or different.", "reading"),
    Setting("score_range", "LOW,HIGH", "The grades that mean not alike at all and the same, as 0,5.", "reading"),
    Setting("label_until", "TEXT", "A label ends before this mark, as # in 12.jpg#3.", "reading"),
    Setting("by_line", "true|false", "Each line of a text file is a text of its own.", "reading"),
    Setting("encoding", "TEXT",
            "Of texts and tables without a byte order mark, as cp1252.  [default: utf-8]", "reading"),
    Setting("strict", "true|false",
            "Refuse tables with rows that cannot be used, in place of skipping these.", "reading"),
    Setting("half", "true|false", "Store the weights in 16 bits: half the size.", "run"),
    Setting("split", "content|class|group|given",
            "What training, validation and test must not share; given is by a column.", option=True),
    Setting("counts", "TRAIN,VALIDATION,TEST", "Shares (or, above 1, numbers) of the three; 0 leaves one empty."),
    Setting("loss", "TEXT", "See --list.  [default: the preset's, or the best for the data]", option=True),
    Setting("margin", "NUMBER|soft", "Of the loss; soft is a margin without an edge."),
    Setting("temperature", "NUMBER", "Of the loss: cosines are divided by it."),
    Setting("scale", "NUMBER", "Of the loss: cosines are multiplied by it."),
    Setting("distance", "l2|squared|cosine", "Of the triplet loss."),
    Setting("miner", "TEXT", "Which triplets or pairs of a batch count; see --list."),
    Setting("memory", "N", "Compare with N embeddings of past batches as well (cross-batch memory)."),
    Setting("fit", "squash|crop|pad|ink", "How pictures are fitted to the network."),
    Setting("poses", "N", "4: turned drawings are further classes, 8: mirrored ones too; 1: no."),
    Setting("augmentation", "none|photo|drawing|copies|text", "Random changes of the inputs.", option=True),
    Setting("optimizer", "adamw|adam|sgd|rmsprop", "What turns gradients into steps."),
    Setting("epochs", "N", "Passes over the pairs.  [default: the preset's]", option=True),
    Setting("steps", "N", "Optimizer steps, instead of epochs.", option=True),
    Setting("learning_rate", "NUMBER", "Of the optimizer.  [default: the preset's]", option=True),
    Setting("cosine_decay", "true|false",
            "The learning rate warms up and falls to zero along half a cosine, or is constant."),
    Setting("weight_decay", "NUMBER", "How strongly weights are pulled to zero."),
    Setting("batch_classes", "N", "Classes in a batch."),
    Setting("batch_images", "N", "Images (or texts) of each class in a batch."),
    Setting("averaging", "NUMBER", "Decay of a running average of the weights, which is what is kept; as 0.999."),
    Setting("within_power", "NUMBER", "Exponent of within-class covariance normalization, from 0 to below 1."),
    Setting("start_share", "NUMBER",
            "Weight of the initial encoder when it is interpolated with the fine-tuned one, from 0 to below 1."),
    Setting("patience", "N", "Stop after N evaluations without a gain; 0 never."),
    Setting("precision", "auto|float32|bfloat16|float16", "What the network computes in."),
    Setting("threads", "N", "Processor threads; 0 leaves the choice to torch."),
    Setting("seed", "N", "Seed of all randomness.  [default: 0]", option=True),
)  # fmt: skip
FORMER: Mapping[str, str] = MappingProxyType({
    "--shares": "counts=TRAIN,VALIDATION,TEST", "--cosine": "cosine_decay=true", "--constant": "cosine_decay=false",
    "--half": "half=true", "--by-line": "by_line=true", "--strict": "strict=true",
})  # fmt: skip
"""Options of older versions by what takes their place, where they had another name or no value."""


def parse_settings(texts: Sequence[str]) -> dict[str, Value]:
    """The values of texts as "margin=0.3". Raises UsageError for an unknown or repeated name, or a wrong value."""
    known = {setting.name: setting for setting in SETTINGS}
    found: dict[str, Value] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, not {text!r}")
        if name not in known:
            raise UsageError(f"No setting {name!r}; there are {', '.join(known)}")
        if name in found:
            raise UsageError(f"setting {name} is given twice")
        found[name] = known[name].parsed(value)
    return found


def in_group(values: Mapping[str, Value], group: Group) -> dict[str, Value]:
    """Those of the values whose setting belongs to this group."""
    names = {setting.name for setting in SETTINGS if setting.group == group}
    return {name: value for name, value in values.items() if name in names}


def replacement(option: str) -> str | None:
    """What --set takes in place of an option that `simsearch train` had, as "margin=NUMBER"; None for any other."""
    names = {f"--{s.name.replace('_', '-')}": f"{s.name}={s.form}" for s in SETTINGS if not s.option}
    return FORMER.get(option) or names.get(option)


def setting_rows() -> Iterable[tuple[str, ...]]:
    """The table of settings for people, its head first: name, values, what it is; * where train has an option."""
    yield ("setting (* an option too)", "value", "what it is")
    for setting in SETTINGS:
        yield (f"{setting.name}*" if setting.option else setting.name, setting.form, setting.help)
