"""The settings of a training run: the one record from which `simsearch train` makes its options and reads `--set`, and
from which `Changes` and `Reading` are filled. Needs neither torch nor numpy."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from simsearch.errors import UsageError

Value = float | str | tuple[float, ...] | tuple[str, ...]
Group = Literal["changes", "reading", "run"]
"""What a setting belongs to: `recipes.Changes`, `labelled.reading.Reading`, or `train` itself."""


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
        """The value that this text represents. Raises UsageError for an invalid one."""
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


PARSERS: Mapping[str, Callable[[str], Value]] = MappingProxyType(
    {
        "N": int,
        "NUMBER": float,
        "TEXT": str,
        "true|false": _truth,
        "NUMBER|soft": lambda text: text if text == "soft" else float(text),
        "PATTERN|PATTERN": lambda text: tuple(text.split("|")),
        "LOW,HIGH": lambda text: _numbers(text, 2),
        "TRAIN,VALIDATION,TEST": lambda text: _numbers(text, 3),
    }
)

SETTINGS = (
    Setting(
        "kind",
        "classes|pairs|graded|triplets|unlabelled",
        "Kind of data in the source, if its columns do not determine it.",
        "reading",
        option=True,
    ),
    Setting("modality", "image|text", "Modality of the source, if it could be both.", "reading", option=True),
    Setting(
        "columns", "TEXT", "Names of the columns, or ROLE=NAME,...; see docs/training-data.md.", "reading", option=True
    ),
    Setting(
        "convention",
        "same|different",
        "What 1 means in a pair file whose column is not named same or different.",
        "reading",
    ),
    Setting("score_range", "LOW,HIGH", "Grades that mean entirely different and identical, as 0,5.", "reading"),
    Setting("label_until", "TEXT", "Labels end before this separator, as # in 12.jpg#3.", "reading"),
    Setting("by_line", "true|false", "Each line of a text file is a separate text.", "reading"),
    Setting(
        "encoding",
        "TEXT",
        "Encoding of texts and tables without a byte order mark, as cp1252.  [default: utf-8]",
        "reading",
    ),
    Setting("strict", "true|false", "Reject tables with unusable rows instead of skipping these rows.", "reading"),
    Setting("exclude", "PATTERN|PATTERN", "Files and folders of a folder to leave out, as in .gitignore.", "reading"),
    Setting("include_hidden", "true|false", "Include names that begin with a dot.", "reading"),
    Setting("half", "true|false", "Store the weights in 16 bits, at half the size.", "run"),
    Setting(
        "split",
        "content|class|group|given",
        "What the partitions must not share; given reads the column split.",
        option=True,
    ),
    Setting(
        "counts", "TRAIN,VALIDATION,TEST", "Sizes of the partitions: fractions, or numbers above 1; 0 leaves one empty."
    ),
    Setting("loss", "TEXT", "Loss, see --list.  [default: of the preset, or of the kind of data]", option=True),
    Setting("margin", "NUMBER|soft", "Margin of the loss; soft is softplus in place of a hinge with margin."),
    Setting("temperature", "NUMBER", "Temperature of the loss, which divides cosines."),
    Setting("scale", "NUMBER", "Scale of the loss, which multiplies cosines."),
    Setting("distance", "l2|squared|cosine", "Distance of the triplet loss."),
    Setting("miner", "TEXT", "Selection of triplets or pairs in a batch, see --list."),
    Setting("memory", "N", "Size of the cross-batch memory: N embeddings of past batches."),
    Setting("fit", "squash|crop|pad|ink", "How images are resized to the input of the network."),
    Setting("poses", "N", "Rotated drawings as additional classes: 4 with rotations, 8 with reflections too, 1 none."),
    Setting("augmentation", "none|photo|drawing|copies|text", "Data augmentation.", option=True),
    Setting("optimizer", "adamw|adam|sgd|rmsprop", "Optimization algorithm."),
    Setting("epochs", "N", "Passes over the pairs.  [default: of the preset]", option=True),
    Setting("steps", "N", "Optimizer steps, instead of epochs.", option=True),
    Setting("learning_rate", "NUMBER", "Learning rate.  [default: of the preset]", option=True),
    Setting("cosine_decay", "true|false", "Learning rate with warmup and cosine decay to zero, or constant."),
    Setting("weight_decay", "NUMBER", "Weight decay of the optimizer."),
    Setting("batch_classes", "N", "Classes in a batch."),
    Setting("batch_images", "N", "Images (or texts) of each class in a batch."),
    Setting(
        "averaging", "NUMBER", "Decay of an exponential moving average of the weights, which is exported; as 0.999."
    ),
    Setting("within_power", "NUMBER", "Exponent of within-class covariance normalization, from 0 to below 1."),
    Setting(
        "start_share",
        "NUMBER",
        "Weight of the initial encoder when it is interpolated with the fine-tuned one, from 0 to below 1.",
    ),
    Setting("patience", "N", "Early stopping after N evaluations without improvement; 0 is off."),
    Setting("precision", "auto|float32|bfloat16|float16", "Floating-point type of the computation."),
    Setting("threads", "N", "CPU threads; 0 is torch's default."),
    Setting("seed", "N", "Random seed.  [default: 0]", option=True),
)
FORMER: Mapping[str, str] = MappingProxyType(
    {
        "--shares": "counts=TRAIN,VALIDATION,TEST",
        "--cosine": "cosine_decay=true",
        "--constant": "cosine_decay=false",
        "--half": "half=true",
        "--by-line": "by_line=true",
        "--strict": "strict=true",
    }
)
"""Replacements of former options that had another name or no value."""


def parse_settings(texts: Sequence[str]) -> dict[str, Value]:
    """The values of texts such as "margin=0.3". Raises UsageError for an unknown or repeated name, or a wrong value."""
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
    """The setting that replaces a former option of `simsearch train`, as "margin=NUMBER"; None for other options."""
    names = {f"--{s.name.replace('_', '-')}": f"{s.name}={s.form}" for s in SETTINGS if not s.option}
    return FORMER.get(option) or names.get(option)


def setting_rows() -> Iterable[tuple[str, ...]]:
    """The printed table of settings, header first: name, values, meaning; * where train has an option."""
    yield ("setting (* also an option)", "value", "meaning")
    for setting in SETTINGS:
        yield (f"{setting.name}*" if setting.option else setting.name, setting.form, setting.help)
