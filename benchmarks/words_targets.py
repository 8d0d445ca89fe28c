"""Target embeddings of the nouns of WordNet in the space of the images: known for the backbone's classes, predicted by
kernel ridge regression for the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from words_nouns import PHYSICAL, Nouns

from simsearch.training.finetuning.initial import load_initial_encoder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

TEXTS, KINDS = 2.0, 0.5
"""How fast the likeness of two nouns falls with the cosine of what is said of them, and of the kinds that they are."""
NOISE = 0.01
SPREAD = 0.5
"""The power of the covariance of the class vectors that they are divided by: the few directions that tell animals from
things would drown those that tell one animal from another."""
LEAST = 1e-3
OWN = 1.0
"""How many classes' worth the guess counts for a noun with classes below it."""
FEWEST = 0.5
"""Added to how often a name was met with a meaning."""
UNSEEN, PERSON, WIDER, CLASS = 0.1, 0.3, 2.0, 4.0
"""Factors on that for meanings that are no physical thing, that are persons, that have classes below them, and that the
backbone has a class for."""


@dataclass(frozen=True)
class Head:
    """The linear map from the pooled features of an image to its vector before normalizing."""

    weight: Array
    """(dim, features)."""
    bias: Array

    @classmethod
    def read(cls, folder: Path) -> Head:
        """That of an encoder folder."""
        head = load_initial_encoder(str(folder)).encoder.head
        assert isinstance(head, torch.nn.Linear)
        weight, bias = (tensor.detach().numpy().astype(np.float64) for tensor in (head.weight, head.bias))
        return cls(weight, bias)

    def pictures(self, pooled: Array) -> Array:
        return unit(pooled @ self.weight.T + self.bias)

    def classes(self, weights: Array) -> Array:
        """Unit vectors (classes, dim) that rank images much as the classifier's `weights` (classes, features) do.

        What the classifier multiplies may be pooled in another way than what the head does: the directions agree.
        """
        projected = (weights - weights.mean(axis=0)) @ self.weight.T
        values, vectors = np.linalg.eigh(np.cov(projected.T))
        powers = np.maximum(values, LEAST * values.max()) ** -SPREAD
        return unit(projected @ (vectors * powers) @ vectors.T)


def unit(rows: Array) -> Array:
    found: Array = rows / np.maximum(np.linalg.norm(rows, axis=-1, keepdims=True), 1e-12)
    return found


class Likeness:
    """How alike nouns are, from vectors of "NAME: GLOSS" and from the kinds that they are."""

    def __init__(self, nouns: Nouns, offsets: Sequence[str], texts: Array) -> None:
        from scipy.sparse import csr_matrix

        self.row = {offset: row for row, offset in enumerate(offsets)}
        self._texts = texts
        columns: dict[str, int] = {}
        numbers, places, ends = [], [], [0]
        for offset in offsets:
            features = nouns.features(offset)
            length = sum(value * value for value in features.values()) ** 0.5 or 1.0
            for kind, value in sorted(features.items()):
                places.append(columns.setdefault(kind, len(columns)))
                numbers.append(value / length)
            ends.append(len(places))
        self._kinds = csr_matrix((numbers, places, ends), shape=(len(ends) - 1, len(columns)))

    def said(self, left: Sequence[str], right: Sequence[str]) -> Array:
        """The cosines of what is said of the nouns."""
        rows, columns = [self.row[each] for each in left], [self.row[each] for each in right]
        cosines: Array = self._texts[rows] @ self._texts[columns].T
        return cosines

    def __call__(self, left: Sequence[str], right: Sequence[str]) -> Array:
        rows, columns = [self.row[each] for each in left], [self.row[each] for each in right]
        texts = self.said(left, right)
        kinds = np.asarray((self._kinds[rows] @ self._kinds[columns].T).todense())
        likeness: Array = np.exp(TEXTS * (texts - 1.0) + KINDS * (kinds - 1.0))
        return likeness


def noun_vectors(nouns: Nouns, likeness: Likeness, classes: Mapping[str, Array]) -> dict[str, Array]:
    """Unit vectors of all nouns that `likeness` knows, from those of the classes.

    A noun below which there are no classes is guessed from what is said of it (kernel ridge regression). One with
    classes below is their mean, together with the guess.
    """
    offsets, known = list(likeness.row), list(classes)
    taught = np.stack([classes[each] for each in known])
    mean = taught.mean(axis=0)
    kernel = likeness(known, known) + NOISE * np.eye(len(known))
    weights = np.linalg.solve(kernel, taught - mean)
    guessed = np.concatenate(
        [mean + likeness(offsets[at : at + 4096], known) @ weights for at in range(0, len(offsets), 4096)]
    )
    below: dict[str, list[Array]] = {}
    for each, vector in classes.items():
        for kind in nouns.above(each):
            below.setdefault(kind, []).append(vector)
    found = {}
    for offset, guess in zip(offsets, guessed, strict=True):
        parts = below.get(offset, [])
        exact = offset in classes and len(parts) == 1
        vector = unit(guess)
        if parts:
            total = np.sum(parts, axis=0)
            vector = parts[0] if exact else unit(unit(total) * len(parts) + OWN * vector)
        found[offset] = vector
    return found


def closeness(likeness: Likeness, offsets: Sequence[str], known: Sequence[str]) -> dict[str, float]:
    """The mean of the five highest cosines of what is said of a noun with what is said of the classes."""
    cosines = likeness.said(offsets, known)
    return dict(zip(offsets, np.sort(cosines, axis=1)[:, -5:].mean(axis=1).tolist(), strict=True))


def name_vectors(nouns: Nouns, vectors: Mapping[str, Array], classes: Mapping[str, Array]) -> dict[str, Array]:
    """A unit vector for each name in lower case, of its meanings as often as they are meant.

    `vectors` has the meanings that count. A plural that is a name (glasses, pants) means what its singular does, too.
    """
    person = nouns.senses["person"][0]
    wider = {kind for offset in classes for kind in nouns.above(offset)}
    found: dict[str, Array] = {}
    for name, meanings in nouns.senses.items():
        singular = name.removesuffix("s") if len(name) > 4 and not name.endswith("ss") else name
        also = nouns.senses.get(singular, ()) if singular != name else ()
        parts = []
        for said, offset in [(name, each) for each in meanings] + [(singular, each) for each in also]:
            if offset not in vectors:
                continue
            kinds = nouns.above(offset)
            factor = 1.0 if PHYSICAL in kinds else UNSEEN
            factor *= PERSON if person in kinds else 1.0
            factor *= CLASS if offset in classes else WIDER if offset in wider else 1.0
            parts.append((nouns.uses.get((said, offset), 0) + FEWEST) * factor * vectors[offset])
        if parts:
            found[name] = unit(np.sum(parts, axis=0))
    return found


def classifier(published: Path) -> tuple[Array, Array]:
    """The vectors (classes, features) of the backbone's classes, and what is added, of its published weights."""
    weights = torch.load(published, weights_only=True)
    return tuple(weights[f"_fc.{name}"].numpy().astype(np.float64) for name in ("weight", "bias"))  # type: ignore[return-value]
