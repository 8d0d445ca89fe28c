"""How well near duplicates among texts are distinguished from other pairs, beside the embedding alone and TF-IDF.

    python benchmarks/duplicate_texts.py PAIRS.txt

PAIRS.txt has two records and 0 or 1 in each line, as the Ditto benchmarks write them, such as dblp-acm/valid.txt.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from measuring import Bar, Report
from text_corpus import records
from texts import tf_idf

from simsearch.duplicates.finding import texts
from simsearch.encoders import open_encoder
from simsearch.evaluation.metrics import average_precision
from simsearch.evaluation.tfidf import tfidf


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    options = parser.parse_args()
    pairs = records(options.pairs)
    same = np.array([float(label) > 0 for _, _, label in pairs])
    every = list(dict.fromkeys(text for left, right, _ in pairs for text in (left, right)))
    places = {text: place for place, text in enumerate(every)}
    lefts, rights = ([places[pair[side]] for pair in pairs] for side in (0, 1))
    methods, encoder = {}, open_encoder("text")
    for name, vectors in (("embedding `text`", encoder.encode(every)), ("TF-IDF of parts of words", tfidf(every))):
        methods[name] = np.einsum("ij,ij->i", vectors[lefts], vectors[rights]).astype(np.float64)
    words = tf_idf(every)(every)
    methods["TF-IDF of words"] = np.asarray(words[lefts].multiply(words[rights]).sum(axis=1)).ravel()  # type: ignore[attr-defined]
    cosines, weigh = methods["embedding `text`"], texts.weights(every)
    found = [
        texts.compare(left, right, float(cosine), weigh)
        for (left, right, _), cosine in zip(pairs, cosines, strict=True)
    ]
    # Pairs that are refused come behind all that are not, by their cosines.
    proofs = np.array([one.score for one in found]) + cosines / 1e6
    rows: list[tuple[str, ...]] = [("method", "average precision", "recall at precision 0.99")]
    for name, scores in {"embedding, words, numbers and names": proofs, **methods}.items():
        rows.append((name, f"{average_precision(scores, same):.4f}", f"{recall_at(scores, same, 0.99):.4f}"))
    accepted = np.array([one.kind is not None for one in found])
    precision, recall = float(same[accepted].mean()), float(accepted[same].mean())
    Report(
        "duplicate_texts",
        "Near duplicates of texts, distinguished from other pairs.",
        f"{options.pairs.parent.name}/{options.pairs.name}: {len(pairs):,} pairs, {int(same.sum()):,} of them true",
        rows,
        [Bar("precision by default", precision, at_least=0.97), Bar("recall by default", recall, at_least=0.93)],
    ).publish()


def recall_at(scores: np.ndarray, same: np.ndarray, precision: float) -> float:
    """The highest recall at which that precision is reached; 0 where it is at none."""
    order = np.argsort(-scores, kind="stable")
    hits = np.cumsum(same[order])
    good = np.flatnonzero(hits >= precision * np.arange(1, len(order) + 1))
    return float(hits[good[-1]] / same.sum()) if len(good) else 0.0


if __name__ == "__main__":
    main()
