"""Builds the text tower of `photo`: words.onnx and words-tokenizer.json.

    python benchmarks/photo_words.py PHOTO BACKBONE CLASSES WORDNET OUT

PHOTO is the folder of the encoder that benchmarks/make_photo.py made, BACKBONE the .pth file that it was made from,
CLASSES a file with the ImageNet numbers of its classes, in order (timm/data/_info/imagenet_synsets.txt in the package
timm). WORDNET is the folder of WordNet 3.0 (in Debian's
wordnet-base: /usr/share/wordnet). The teacher, a folder or a name of the hub, encodes WordNet's glosses in a quarter of
an hour on one core; its embeddings are cached in --said. With these, a tower is built in about a minute.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from tokenizers import Tokenizer
from words_nouns import MODERN, NUMBERS, PHYSICAL, Nouns
from words_onnx import to_onnx
from words_targets import Head, Likeness, classifier, closeness, name_vectors, noun_vectors
from words_tower import (
    FIRST_SILENT,
    FIRST_WORD,
    UNKNOWN,
    Tower,
    TrainingSet,
    cosines,
    encoded,
    learn,
    tokenizer_of,
    words_of,
)

import simsearch
from simsearch.encoders.folder import BUNDLED, TOKENIZER_NAME, WORDS_NAME, WORDS_TOKENIZER_NAME
from simsearch.encoders.network import load_session

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TEACHER = "sentence-transformers/all-MiniLM-L6-v2"
CLOSE = {"thing": 0.25, "person": 0.4, "substance": 0.35, "abstract": 0.42}
"""How close (`words_targets.closeness`) a noun must lie to the classes to be known."""
MET = 12
"""A word that is no noun of these is learned if so many glosses and names have it."""
GLOSS, RARE, COMMON, WIDER, OF_CLASS, ALONE = 0.03, 0.2, 1.0, 3.0, 4.0, 2.0
"""How much counts in training: a gloss, a name with a rare word, one of common words alone, one of a kind that has
classes below it, and one of a class; and the factor on the second and third for names of one word."""


@dataclass(frozen=True)
class Making:
    seed: int = 0
    groups: int = 64
    """Bytes a word."""
    whole: int = 1_200
    pairs: int = 4_000
    steps: int = 700


@dataclass(frozen=True)
class Material:
    """The data that does not depend on the set of known classes."""

    nouns: Nouns
    likeness: Likeness
    common: frozenset[str]
    kinds: Mapping[str, str]
    classes: frozenset[str]


def common_words() -> frozenset[str]:
    """The words that are single tokens of the bundled encoder `text`: the frequent ones."""
    document = json.loads((BUNDLED / "text" / TOKENIZER_NAME).read_text(encoding="utf-8"))
    return frozenset(word for word in document["model"]["vocab"] if word.isalpha() and word.isascii() and len(word) > 1)


def kind_of(nouns: Nouns, offset: str) -> str:
    above = nouns.above(offset)
    if PHYSICAL not in above:
        return "abstract"
    if nouns.senses["person"][0] in above:
        return "person"
    substances = {nouns.senses[name][0] for name in ("chemical", "drug", "microorganism")}
    return "substance" if above & substances else "thing"


def candidates(nouns: Nouns, common: frozenset[str], classes: Sequence[str]) -> dict[str, str]:
    """The meanings that could be seen in an image, with their kinds: things, and of the rest what is common."""
    found = {}
    for offset, noun in nouns.of.items():
        kind = kind_of(nouns, offset)
        small = [name for name in noun.names if name == name.lower()]
        frequent = any(name in common and offset in nouns.senses[name][:2] for name in small)
        if offset in classes or (not noun.single and small and (kind == "thing" or frequent)):
            found[offset] = kind
    return found


def said(path: Path, nouns: Nouns, offsets: Sequence[str], teacher: str) -> Array:
    """The teacher's vectors of "NAME: GLOSS", kept in the file `path`."""
    known: dict[str, Array] = {}
    if path.is_file():
        with np.load(path) as stored:
            known = dict(zip(stored["offsets"].tolist(), stored["vectors"], strict=True))
    if missing := [offset for offset in offsets if offset not in known]:
        texts = [f"{nouns.of[each].names[0]}: {nouns.of[each].gloss}" for each in missing]
        known.update(zip(missing, simsearch.open_encoder(teacher).encode(texts), strict=True))
        np.savez(path, offsets=list(known), vectors=np.stack(list(known.values())))
    return np.stack([known[each] for each in offsets]).astype(np.float64)


def material(wordnet: Path, classes: Sequence[str], cache: Path, teacher: str) -> Material:
    nouns, common = Nouns(wordnet), common_words()
    kinds = candidates(nouns, common, classes)
    likeness = Likeness(nouns, list(kinds), said(cache, nouns, list(kinds), teacher))
    return Material(nouns, likeness, common, kinds, frozenset(classes))


def vectors_of(given: Material, classes: Mapping[str, Array]) -> tuple[dict[str, Array], dict[str, Array]]:
    """The vectors of the meanings that are close enough to the classes, and of their names, with plurals that are not
    formed with s."""
    close = closeness(given.likeness, list(given.kinds), list(classes))
    vectors = noun_vectors(given.nouns, given.likeness, classes)
    near = [offset for offset, kind in given.kinds.items() if offset in classes or close[offset] >= CLOSE[kind]]
    kept = {offset: vectors[offset] for offset in near}
    names = name_vectors(given.nouns, kept, classes)
    for word, name in MODERN.items():
        if name in names:
            names.setdefault(word, names[name])
    for name in [name for name in names if words_of(name) == [name]]:
        for plural in plurals(given, name):
            names.setdefault(plural, names[name])
    return kept, names


def plurals(given: Material, name: str) -> list[str]:
    """The plurals of one word that the tokenizer cannot tell by their end."""
    found = [form for form in given.nouns.irregular.get(name, ()) if words_of(form) == [form]]
    if name in given.common and len(name) > 2 and name[-1] == "y" and name[-2] not in "aeou":
        found.append(f"{name[:-1]}ies")
    return found


def vocabulary(given: Material, names: Mapping[str, Array], kept: Mapping[str, Array]) -> tuple[list[str], list[str]]:
    """The words that names of several words and glosses are made of, and those that are names."""
    single = {name for name in names if words_of(name) == [name] and len(name) > 1}
    met = Counter(word for name in names if words_of(name) != [name] for word in set(words_of(name)))
    met.update(word for offset in kept for word in set(words_of(given.nouns.of[offset].gloss)) if word in given.common)
    others = {
        word
        for word, count in met.items()
        if count >= MET
        and word.isascii()
        and not word.isdigit()
        and len(word) > 1
        and word not in NUMBERS
        and word.removesuffix("s") not in single
        and word.removesuffix("es") not in single
    }
    own = [name for offset in kept if offset in given.classes for name in given.nouns.of[offset].names]
    others |= {word for name in own for word in words_of(name)}
    return sorted(others - single - NUMBERS), sorted(single - NUMBERS)


def tower_of(
    given: Material, classes: Mapping[str, Array], making: Making
) -> tuple[Tower, Tokenizer, dict[str, float]]:
    """The tower trained with `classes` (unit vectors by ImageNet number without n)."""
    torch.manual_seed(making.seed)
    kept, names = vectors_of(given, classes)
    others, single = vocabulary(given, names, kept)
    tokenizer = tokenizer_of([*others, *single])
    tower = Tower(start(tokenizer, names), FIRST_WORD, len(tokenizer.get_vocab()) - len(single))
    training_set = training_set_of(given, tokenizer, names, kept, classes)
    before = learn(tower, tokenizer, training_set, steps=making.steps, seed=making.seed)
    tower.compress(making.groups, making.seed)
    tower.widen(*missed(tower, tokenizer, training_set, making))
    after = learn(tower, tokenizer, training_set, steps=making.steps, seed=making.seed + 1)
    figures = {"words": len(single), "other words": len(others), "names": len(names), "before": before, "cosine": after}
    return tower, tokenizer, figures


def start(tokenizer: Tokenizer, names: Mapping[str, Array]) -> Array:
    """The vectors of the words that are names; the others start at zero."""
    ids = tokenizer.get_vocab()
    table = np.zeros((len(ids), len(next(iter(names.values())))))
    for word, row in ids.items():
        if word in names:
            table[row] = names[word]
    return table


def training_set_of(
    given: Material,
    tokenizer: Tokenizer,
    names: Mapping[str, Array],
    kept: Mapping[str, Array],
    classes: Mapping[str, Array],
) -> TrainingSet:
    """All names, and the glosses of all meanings, of which unknown words are left out."""
    vocab = tokenizer.get_vocab()
    own, wider = names_with_classes(given, classes)
    texts, vectors, weights = [], [], []
    for (name, vector), cut in zip(names.items(), tokenizer.encode_batch(list(names)), strict=True):
        parts = words_of(name)
        if vocab[UNKNOWN] not in cut.ids:
            texts.append(name)
            vectors.append(vector)
            usual = COMMON if all(word in given.common for word in parts) else RARE
            usual *= ALONE if len(parts) == 1 else 1.0
            weights.append(OF_CLASS if name in own else WIDER if name in wider else usual)
    for offset, vector in kept.items():
        if words := [word for word in words_of(given.nouns.of[offset].gloss) if word in vocab]:
            texts.append(" ".join(words))
            vectors.append(vector)
            weights.append(GLOSS)
    return TrainingSet(texts, np.stack(vectors), np.array(weights))


def names_with_classes(given: Material, classes: Mapping[str, Array]) -> tuple[set[str], set[str]]:
    """The names of classes, and those of kinds above two classes or more."""
    below = Counter(kind for offset in classes for kind in given.nouns.above(offset))
    own = {name.lower() for offset in classes for name in given.nouns.of[offset].names}
    wider = {name.lower() for kind, count in below.items() if count > 1 for name in given.nouns.of[kind].names}
    return own, wider


def missed(
    tower: Tower, tokenizer: Tokenizer, training_set: TrainingSet, making: Making
) -> tuple[list[int], list[int]]:
    """The words, and the keys of the pairs of words, that the tower misses most, by how much they count."""
    missing = (1.0 - cosines(tower, tokenizer, training_set)) * training_set.weights
    ids = encoded(tokenizer, training_set.texts)
    # Without the s of a plural.
    length = (ids >= FIRST_SILENT).sum(dim=1).numpy()
    heard = (ids >= tower.silent).numpy()
    cut = (ids >= FIRST_SILENT).numpy()
    names = training_set.weights > GLOSS
    one = np.flatnonzero(names & (length == 1) & heard[:, 0])
    two = np.flatnonzero(names & (length == 2) & cut[:, 0] & heard[:, 1])
    words = ids[one[np.argsort(-missing[one], kind="stable")[: making.whole]], 0]
    # Else two classes of three words that end alike (African hunting dog) spoil what these two mean alone.
    longer = np.flatnonzero((training_set.weights == OF_CLASS) & (length > 2) & cut[:, 0] & heard[:, 1])
    chosen = [*longer, *two[np.argsort(-missing[two], kind="stable")[: making.pairs - len(longer)]]]
    keys = tower.keys_of(ids[chosen, :2])
    return sorted(set(words.tolist())), keys.flatten().tolist()


def stored_cosine(model: bytes, tower: Tower, tokenizer: Tokenizer) -> float:
    """The lowest cosine between what torch and ONNX Runtime give for the words, whose tables are stored in 8 bits."""
    words = [word for word, row in sorted(tokenizer.get_vocab().items()) if row >= tower.naming][::20]
    ids = encoded(tokenizer, words)
    found = load_session(model, WORDS_NAME).run(None, {"ids": ids.numpy()})[0]
    with torch.inference_mode():
        return round(float((tower(ids).numpy() * found).sum(axis=1).min()), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("photo", "backbone", "classes", "wordnet", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--teacher", default=TEACHER, help="an encoder of texts; only for the making")
    parser.add_argument("--said", type=Path, default=Path("photo-words-said.npz"), help="cached teacher embeddings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--groups", type=int, default=Making.groups)
    parser.add_argument("--whole", type=int, default=Making.whole)
    parser.add_argument("--pairs", type=int, default=Making.pairs)
    parser.add_argument("--steps", type=int, default=Making.steps)
    options = parser.parse_args()
    started = time.perf_counter()
    numbers = [line.removeprefix("n") for line in options.classes.read_text().split()]
    vectors = Head.read(options.photo).classes(classifier(options.backbone)[0])
    given = material(options.wordnet, numbers, options.said, options.teacher)
    making = Making(options.seed, options.groups, options.whole, options.pairs, options.steps)
    tower, tokenizer, figures = tower_of(given, dict(zip(numbers, vectors, strict=True)), making)
    options.out.mkdir(parents=True, exist_ok=True)
    model = to_onnx(tower)
    (options.out / WORDS_NAME).write_bytes(model)
    (options.out / WORDS_TOKENIZER_NAME).write_text(tokenizer.to_str(), encoding="utf-8")
    figures |= {"vocabulary": len(tower.table), "pairs": len(tower.keys)}
    figures |= {"stored": stored_cosine(model, tower, tokenizer), "seconds": round(time.perf_counter() - started)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
