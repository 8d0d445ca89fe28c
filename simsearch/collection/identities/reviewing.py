"""Review of examples: new ones before they are enrolled, or all that are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.identities.deciding import load_decider
from simsearch.recognition.gallery import RULE, Gallery
from simsearch.recognition.review import Finding, findings
from simsearch.types import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.collection.identities.deciding import Decider
    from simsearch.store import NewExample, Store


def review_new(
    store: Store, decider: Decider, given: Sequence[tuple[str, NewExample]], names: Sequence[str]
) -> dict[int, Finding]:
    """What looks wrong of examples that are not enrolled yet, by their place; those enrolled already are left out.

    They are compared with all that are enrolled and with each other. `names` are those that users know them by.
    """
    contents = store.labels_of_contents([one.sha256 for _, one in given])
    new: dict[tuple[bytes, str], int] = {}
    for place, (label, one) in enumerate(given):
        if label not in contents.get(one.sha256, ()):
            new.setdefault((one.sha256, label), place)
    known = _labels([*((content, label) for content in contents for label in contents[content]), *new])
    found = {}
    for (content, label), place in list(new.items()):
        if len(known[content]) > 1:
            found[place] = _equal(names[place], label, known[content])
            # It is no example of what its label looks like, for the others.
            del new[content, label]
    if not new:
        return found
    # Ids below zero stand for the places, as these have none yet.
    made = [Example(-1 - place, label, names[place]) for (_, label), place in new.items()]
    gallery = decider.gallery.with_examples(made, np.stack([given[place][1].vector for place in new.values()]))
    others = _findings(decider, gallery, np.flatnonzero(gallery.ids < 0))
    return found | {-1 - number: finding for number, finding in others.items()}


def review_all(store: Store) -> tuple[Finding, ...]:
    """What looks wrong of the enrolled examples, in the order of their labels."""
    with store.snapshot():
        decider, digests = load_decider(store), store.example_digests()
    gallery = decider.gallery
    known = _labels((digests[example.id], example.label) for example in gallery.examples)
    found: dict[int, Finding] = {}
    for example in gallery.examples:
        labels = known[digests[example.id]]
        if len(labels) > 1:
            name = example.uri or example.text or f"example {example.id}"
            found[example.id] = _equal(name, example.label, labels)
    rows = [row for row, example in enumerate(gallery.examples) if example.id not in found]
    rest = Gallery(tuple(gallery.examples[row] for row in rows), gallery.vectors[rows])
    found |= _findings(decider, rest, np.arange(len(rows)))
    return tuple(found[example.id] for example in gallery.examples if example.id in found)


def _labels(pairs: Iterable[tuple[bytes, str]]) -> Mapping[bytes, set[str]]:
    """The labels of each content."""
    found: dict[bytes, set[str]] = {}
    for content, label in pairs:
        found.setdefault(content, set()).add(label)
    return found


def _equal(name: str, label: str, labels: set[str]) -> Finding:
    return Finding(name, label, "equal", min(labels - {label}), None, None)


def _findings(decider: Decider, gallery: Gallery, rows: NDArray[np.int64]) -> dict[int, Finding]:
    """The findings by the id of the example."""
    held = None if decider.calibration is None else decider.calibration.threshold
    threshold = held.score if held is not None and held.guaranteed else None
    return findings(gallery, rows, threshold=threshold, rule=RULE)
