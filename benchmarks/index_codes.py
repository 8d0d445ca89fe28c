"""Which codes for inverted lists, and from which size on: by the CPU time of one thread at a recall of 0.99.

Every code finds candidates, which are scored by their vectors; the cheapest setting that reaches the recall counts.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from index_speed import vectors
from measuring import Report

RECALL, K = 0.99, 10
CODES = {
    "8 bits a number (sq8)": ("SQ8", True),
    "4 bits a number (sq4)": ("SQ4", True),
    "product, 64 x 4 bits, of residuals": ("PQ64x4fs", True),
    "product, 64 x 4 bits, of vectors": ("PQ64x4fs", False),
    "RaBitQ, 1 bit a number": ("RaBitQfs", True),
}
PROBES, FACTORS = (2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256), (2, 4, 8, 16)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vectors", type=Path, help="a .npy of unit rows, as real_embeddings.py makes; else synthetic")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--dim", type=int, default=128, help="of synthetic vectors")
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--sizes", type=int, nargs="*", default=[8192, 16_384, 32_768, 65_536, 131_072])
    options = parser.parse_args()
    import faiss

    faiss.omp_set_num_threads(1)
    rows, queries = vectors(options.vectors, options.rows, options.queries, options.dim)
    source = options.vectors.name if options.vectors else "synthetic clusters"
    name = "" if options.vectors else "_synthetic"
    table = [("codes", "bytes", "training s", "adding s", "recall@10", "ms a query", "lists read", "candidates each")]
    table += [_code(title, *CODES[title], rows, queries) for title in CODES]
    Report(
        f"index_codes{name}",
        "Codes of eight bits a number need no training to speak of and few candidates.",
        f"{len(rows):,} vectors of {source}, {rows.shape[1]} numbers; CPU time of one thread",
        table,
    ).publish()
    crossing = [("vectors", "flat, ms a query", "lists, ms a query", "making the lists s", "pays after queries")]
    crossing += [_crossing(rows[:size], queries) for size in options.sizes if size <= len(rows)]
    Report(
        f"index_crossing{name}",
        "From which size on lists pay.",
        f"vectors of {source}, {rows.shape[1]} numbers; CPU time of one thread, queries one at a time",
        crossing,
    ).publish()


def _code(title: str, factory: str, residual: bool, rows: Any, queries: Any) -> tuple[str, ...]:
    import faiss

    library: Any = faiss
    truth = faiss.knn(queries, rows, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    lists = library.index_factory(rows.shape[1], f"IVF{2 ** round(np.log2(4 * len(rows) ** 0.5))},{factory}")
    lists.cp.niter = 10
    if "PQ" in factory:
        lists.by_residual = residual
    training = _cpu(lambda: lists.train(rows[:: max(1, len(rows) // (64 * lists.nlist))]))
    adding = _cpu(lambda: lists.add(rows))
    for search, recall, setting in _settings(lists, rows, queries, truth):
        if recall >= RECALL:
            seconds = min(_cpu(lambda: search(queries)) for _ in range(3))  # noqa: B023
            size = len(library.serialize_index(lists)) / len(rows)
            shown = (f"{size:.0f}", f"{training:.1f}", f"{adding:.1f}", f"{recall:.4f}")
            return (title, *shown, f"{seconds / len(queries) * 1e3:.3f}", *setting)
    return (title, "", f"{training:.1f}", f"{adding:.1f}", "missed", "", "", "")


def _settings(lists: Any, rows: Any, queries: Any, truth: Any) -> Iterator[tuple[Callable[[Any], Any], float, Any]]:
    import faiss

    library: Any = faiss
    refined = library.IndexRefineFlat(lists, library.swig_ptr(rows))
    for probes in PROBES:
        for factor in FACTORS:
            params = library.IndexRefineSearchParameters(
                k_factor=float(factor), base_index_params=library.SearchParametersIVF(nprobe=probes)
            )

            def search(asked: Any, params: Any = params) -> Any:
                return refined.search(asked, K, params=params)[1]

            found = search(queries)
            recall = float(np.mean([len(set(a) & set(b)) for a, b in zip(found, truth, strict=True)])) / K
            yield search, recall, (str(probes), str(factor))


def _crossing(rows: Any, queries: Any) -> tuple[str, ...]:
    from simsearch.vectors.audit import held_out
    from simsearch.vectors.choose import Design
    from simsearch.vectors.faiss_index import FaissFlatIndex
    from simsearch.vectors.quantizing import sample_of, train
    from simsearch.vectors.tuning import tuned

    flat = FaissFlatIndex.over(np.arange(len(rows), dtype=np.int64), rows)
    made: list[Any] = []

    def make() -> None:
        lists = train(flat, Design("lists", "sq8", 2 ** int(np.log2(4 * (2 * len(rows)) ** 0.5))), 0)
        places = sample_of(len(rows), 1000, 1)
        made.append(tuned(flat, lists, held_out(flat, flat.ids[places], rows[places]), RECALL))

    seconds = _cpu(make)
    times = []
    for index in (flat, made[0]):
        asked = queries[:200]
        times.append(_cpu(lambda: [index.search(query[None, :], K) for query in asked]) / len(asked))  # noqa: B023
    pays = seconds / max(1e-9, times[0] - times[1])
    return (f"{len(rows):,}", f"{times[0] * 1e3:.2f}", f"{times[1] * 1e3:.2f}", f"{seconds:.1f}", f"{pays:,.0f}")


def _cpu(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
