"""Review of examples: new ones before they are enrolled, or all that are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from simsearch.collection.identities.deciding import load_decider
from simsearch.recognition.gallery import RULE
from simsearch.recognition.review import Finding, findings
from simsearch.types import Example

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from simsearch.collection.identities.deciding import Decider
    from simsearch.recognition.gallery import Gallery
    from simsearch.store import NewExample, Store


def review_new(store: Store, decider: Decider, given: Sequence[tuple[str, NewExample]]) -> dict[int, Finding]:
    """What looks wrong of examples that are not enrolled yet, by their place; those enrolled already are left out.

    They are compared with all that are enrolled and with each other.
    """
    contents = store.labels_of_contents([one.sha256 for _, one in given])
    new: dict[tuple[str, bytes], int] = {}
    for place, (label, one) in enumerate(given):
        if label not in contents.get(one.sha256, ()):
            new.setdefault((label, one.sha256), place)
    if not new:
        return {}
    # Ids below zero stand for the places, as these have none yet.
    made = [Example(-1 - place, label, given[place][1].uri, given[place][1].text) for (label, _), place in new.items()]
    rows = np.stack([given[place][1].vector for place in new.values()])
    gallery = decider.gallery.with_examples(made, rows)
    found = _findings(decider, gallery, np.flatnonzero(gallery.ids < 0), _equal(contents, list(new), given, gallery))
    return {-1 - number: finding for number, finding in found.items()}


def _equal(
    contents: dict[bytes, list[str]],
    new: Sequence[tuple[str, bytes]],
    given: Sequence[tuple[str, NewExample]],
    gallery: Gallery,
) -> dict[int, str]:
    """Another label of the same content, for each row of the gallery that is new and has one."""
    known = {content: set(labels) for content, labels in contents.items()}
    for label, content in new:
        known.setdefault(content, set()).add(label)
    equal = {}
    for row in np.flatnonzero(gallery.ids < 0).tolist():
        label, one = given[-1 - int(gallery.ids[row])]
        others = sorted(known[one.sha256] - {label})
        if others:
            equal[row] = others[0]
    return equal


def review_all(store: Store) -> tuple[Finding, ...]:
    """What looks wrong of the enrolled examples, in the order of their labels."""
    with store.snapshot():
        decider, digests = load_decider(store), store.example_digests()
        gallery = decider.gallery
        known: dict[bytes, set[str]] = {}
        for example in gallery.examples:
            known.setdefault(digests[example.id], set()).add(example.label)
        others = [sorted(known[digests[example.id]] - {example.label}) for example in gallery.examples]
        equal = {row: names[0] for row, names in enumerate(others) if names}
        return tuple(_findings(decider, gallery, np.arange(len(gallery.examples)), equal).values())


def _findings(decider: Decider, gallery: Gallery, rows: NDArray[np.int64], equal: dict[int, str]) -> dict[int, Finding]:
    """The findings by the id of the example."""
    held = None if decider.calibration is None else decider.calibration.threshold
    threshold = held.score if held is not None and held.guaranteed else None
    return findings(gallery, rows, equal, threshold=threshold, rule=RULE)
