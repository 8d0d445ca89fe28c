"""Finds the résumés that fit a job description; both are invented, and each résumé was written for one of the jobs."""

from __future__ import annotations

import csv
import tempfile
from pathlib import Path

import numpy as np

import simsearch
from simsearch.evaluation.tfidf import tfidf

SAMPLES = Path(__file__).parent / "samples" / "jobs"


def main() -> None:
    lines = [(SAMPLES / name).read_text(encoding="utf-8").splitlines() for name in ("jobs.csv", "resumes.csv")]
    jobs, resumes = (list(csv.DictReader(table)) for table in lines)
    with (
        tempfile.TemporaryDirectory() as folder,
        simsearch.Collection.create(Path(folder) / "resumes", encoder="text") as collection,
    ):
        collection.add(SAMPLES / "resumes.csv")
        answers = collection.query_many([job["text"] for job in jobs], k=3)
    for match in answers[0]:
        print(f"{match.score:.3f}  {match.item.text}\n")
    print(f"Of the 3 nearest résumés to each of {len(jobs)} jobs, written for it are:")
    vectors = tfidf([row["text"] for row in jobs + resumes])
    nearest = np.argsort(-vectors[: len(jobs)] @ vectors[len(jobs) :].T, axis=1)[:, :3]
    by_words = [[resumes[position]["fits"] for position in line] for line in nearest]
    found = [[match.item.metadata["fits"] for match in matches] for matches in answers]
    for name, fits in (("encoder text", found), ("TF-IDF", by_words)):
        print(f"{name:14}{np.mean(np.array(fits) == [[job['id']] for job in jobs]):.0%}")


if __name__ == "__main__":
    main()
