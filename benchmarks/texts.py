"""Accuracy and speed of the bundled encoder `text`, of a larger one and of TF-IDF.

    python benchmarks/texts.py --data DATA [--encoder text] [--against MINILM]

DATA is a folder with stsb-dev.csv, sick-train.txt, quora-pairs.tsv, banking77-train.csv, clinc150-train.json and
dblp-acm/valid.txt; what is not there is left out. The intents are those that `text_corpus.py` held out. MINILM is the
folder of a sentence-transformers model. All run on one thread.
"""

from __future__ import annotations

import os

os.environ |= {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from measuring import Bar, Report, interleaved
from product_records import product_pairs
from text_corpus import held_out, intents, records, stsb

import simsearch
from simsearch.evaluation.metrics import average_precision
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.statistics.correlation import spearman

if TYPE_CHECKING:
    from numpy.typing import NDArray

Encode = Callable[[Sequence[str]], "NDArray[np.float32]"]
Pairs = list[tuple[str, str, float]]
EPISODES = 300
WAYS = 20
PRODUCTS = 1_000
QUESTIONS = 1_000
SPEED_TEXTS = 500
REPETITIONS = 3


def tf_idf(texts: Sequence[str]) -> Encode:
    """Vectors of words weighted by rarity, fitted on all texts that are compared: what it can be at best."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    fitted = TfidfVectorizer(sublinear_tf=True, token_pattern=r"(?u)\b\w[\w.-]*\b").fit(texts)
    return lambda some: fitted.transform(some).astype(np.float32)  # type: ignore[no-any-return]


def remembering(encode: Encode) -> Encode:
    """The same, which encodes no text twice."""
    known: dict[str, NDArray[np.float32]] = {}

    def encoded(texts: Sequence[str]) -> NDArray[np.float32]:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        known.update(zip(new, encode(new), strict=True))
        return np.stack([known[text] for text in texts])

    return encoded


def cosines(encode: Encode, pairs: Pairs) -> NDArray[np.float64]:
    texts = list(dict.fromkeys(text for left, right, _ in pairs for text in (left, right)))
    place = {text: number for number, text in enumerate(texts)}
    vectors = encode(texts)
    left, right = ([place[pair[side]] for pair in pairs] for side in (0, 1))
    one, other = vectors[left], vectors[right]
    products = one.multiply(other) if hasattr(one, "multiply") else one * other
    return np.asarray(products.sum(axis=1), dtype=np.float64).ravel()


def correlation(encode: Encode, pairs: Pairs) -> float:
    return spearman(cosines(encode, pairs), np.array([known for _, _, known in pairs]))


def precision(encode: Encode, pairs: Pairs) -> float:
    return average_precision(cosines(encode, pairs), np.array([bool(known) for _, _, known in pairs]))


def few_shot(encode: Encode, rows: Sequence[tuple[str, str]], shots: int) -> float:
    """The accuracy over episodes of 20 intents with so many examples each; the nearest mean of them decides."""
    vectors = encode([text for text, _ in rows])
    dense = vectors.toarray() if hasattr(vectors, "toarray") else vectors
    labels = np.unique([name for _, name in rows], return_inverse=True)[1]
    found = episodes(dense, labels, ways=WAYS, shots=shots, queries=5, count=EPISODES, seed=0)
    return found.accuracy


def seconds(encode: Encode, texts: Sequence[str], times: int) -> float:
    """What encoding the texts so many times takes, divided by it."""
    started = time.perf_counter()
    encode(list(texts) * times)
    return (time.perf_counter() - started) / times


def sick(path: Path) -> Pairs:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return [(row[1], row[2], float(row[3])) for row in rows]


def quora(path: Path) -> Pairs:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
    return [(left, right, float(same)) for left, right, same in rows]


def measures(data: Path) -> dict[str, tuple[str, list[str], Callable[[Encode], float]]]:
    """For each set that is there: what is measured, its texts, and the function that does."""
    found: dict[str, tuple[str, list[str], Callable[[Encode], float]]] = {}

    def add(name: str, what: str, pairs: Pairs, measure: Callable[[Encode, Pairs], float]) -> None:
        texts = [text for left, right, _ in pairs for text in (left, right)]
        found[name] = (what, texts, partial(measure, pairs=pairs))

    if (data / "stsb-dev.csv").exists():
        add("STS-B dev", "Spearman", [(a, b, float(s)) for a, b, s in stsb(data / "stsb-dev.csv")], correlation)
    if (data / "sick-train.txt").exists():
        add("SICK", "Spearman", sick(data / "sick-train.txt"), correlation)
    if (data / "quora-pairs.tsv").exists():
        add("Quora questions", "average precision", quora(data / "quora-pairs.tsv")[:QUESTIONS], precision)
    if (data / "dblp-acm").exists():
        rows = [(a, b, float(s)) for a, b, s in records(data / "dblp-acm" / "valid.txt")]
        add("dblp-acm", "average precision", rows, precision)
    add("made-up products", "average precision", [(a, b, float(s)) for a, b, s in product_pairs(PRODUCTS)], precision)
    if (data / "clinc150-train.json").exists():
        rows = intents(data)
        held = held_out(name for _, name in rows)
        for kind in ("banking", "clinc"):
            own = [(text, name) for text, name in rows if name in held and name.startswith(kind)]
            for shots in (1, 5):
                what = f"{shots}-shot accuracy, {WAYS} unseen intents"
                measure = partial(few_shot, rows=own, shots=shots)
                found[f"{kind} {shots}"] = (what, [text for text, _ in own], measure)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", default="text")
    parser.add_argument("--against", metavar="MINILM")
    given = parser.parse_args()
    ours = simsearch.open_encoder(given.encoder)
    names: dict[str, Encode] = {given.encoder: ours.encode}
    if given.against:
        import torch
        from sentence_transformers import SentenceTransformer

        torch.set_num_threads(1)
        large = SentenceTransformer(given.against, device="cpu")
        names["MiniLM"] = lambda texts: large.encode(list(texts), normalize_embeddings=True, show_progress_bar=False)
    found = measures(given.data)
    rows = [["set", "measure", *names, "TF-IDF"]]
    known = [remembering(encode) for encode in names.values()]
    for name, (what, texts, measure) in found.items():
        encoders = [*known, tf_idf(texts)]
        rows.append([name, what, *(f"{measure(encode):.3f}" for encode in encoders)])
        print(*rows[-1], sep="  ", flush=True)
    texts = next(iter(found.values()))[1][:SPEED_TEXTS]
    timed = {
        name: lambda encode=encode, times=(100 if name == given.encoder else 1): seconds(encode, texts, times)
        for name, encode in names.items()
    }
    taken = interleaved(timed, REPETITIONS)
    rows.append(["texts a second", "one thread", *(f"{len(texts) / min(times):,.0f}" for times in taken.values()), ""])
    fresh = simsearch.open_encoder(given.encoder)
    fresh.encode(["a"])
    every = list(dict.fromkeys(next(iter(found.values()))[1]))
    new = len(every) / seconds(fresh.encode, every, 1)
    rows.append(["texts a second", "all of them new", f"{new:,.0f}", *([""] * len(names))])
    bars = []
    if given.against:
        bars.append(Bar.ratio("times MiniLM's texts a second", taken["MiniLM"], taken[given.encoder], at_least=100))
    Report(
        "texts",
        "A small encoder of texts that sees words and codes, beside a large one and TF-IDF.",
        "the folder that --data names, and made-up products",
        rows,
        bars,
    ).publish()


if __name__ == "__main__":
    main()
