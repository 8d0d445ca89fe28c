"""Writes the training data of the bundled encoder `text`: texts.txt, graded.csv, pairs.csv and validation.csv.

    python benchmarks/text_corpus.py DATA WORDNET OUT

DATA is a folder with stsb-train.csv, stsb-dev.csv, snli-dev.tsv, flickr8k-captions.txt, banking77-train.csv,
clinc150-train.json and dblp-acm/; WORDNET is the folder of WordNet's data.noun, data.verb, data.adj and data.adv (in
Debian's wordnet-base: /usr/share/wordnet). Every third intent of banking77 and clinc150, by name, is held out.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

WORDNET = 60_000
"""Of WordNet's 117,000 glosses and 45,000 examples, drawn at random."""


def stsb(path: Path) -> list[tuple[str, str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return [(row[0], row[1], row[2]) for row in csv.reader(file)]


def snli(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield from line.split("\t")[:2]


def captions(path: Path) -> Iterator[str]:
    for line in path.read_text(encoding="utf-8").splitlines():
        yield line.partition("\t")[2]


def intents(folder: Path) -> list[tuple[str, str]]:
    """Requests with their intent, of banking77 and clinc150; those out of scope have none."""
    with (folder / "banking77-train.csv").open(encoding="utf-8", newline="") as file:
        found = [(row["text"], f"banking {row['category']}") for row in csv.DictReader(file)]
    document = json.loads((folder / "clinc150-train.json").read_text(encoding="utf-8"))
    found += [(text, f"clinc {intent}") for part in ("train", "val") for text, intent in document.get(part, [])]
    return found + [(row[0], "") for part in ("oos_train", "oos_val") for row in document.get(part, [])]


def held_out(names: Iterable[str]) -> set[str]:
    """Every third intent of each set, by name."""
    ordered = sorted({name for name in names if name})
    return {name for kind in ("banking", "clinc") for name in [n for n in ordered if n.startswith(kind)][::3]}


def records(path: Path) -> list[tuple[str, str, str]]:
    """Bibliographic records without the names of their fields, in pairs."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        left, right, same = line.split("\t")
        rows.append((plain(left), plain(right), same))
    return rows


def plain(record: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"COL \w+ VAL", "", record)).strip()


def wordnet(folder: Path) -> list[str]:
    """Glosses without their examples, and examples of three words or more."""
    texts = []
    for part in ("noun", "verb", "adj", "adv"):
        for line in (folder / f"data.{part}").read_text(encoding="latin-1").splitlines():
            if line.startswith("  "):
                continue
            gloss = line.partition(" | ")[2].strip()
            texts += [text for text in re.findall(r'"([^"]+)"', gloss) if len(text.split()) >= 3]
            texts.append(re.split(r';\s*"', gloss)[0].strip(" ;"))
    return texts


def write_table(path: Path, names: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("data", "wordnet", "out"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--wordnet-texts", type=int, default=WORDNET)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    requests = intents(given.data)
    held = held_out(name for _, name in requests)
    explained = wordnet(given.wordnet)
    random.Random(0).shuffle(explained)
    texts = [
        *snli(given.data / "snli-dev.tsv"),
        *captions(given.data / "flickr8k-captions.txt"),
        *(text for text, name in requests if name not in held),
        *explained[: given.wordnet_texts],
    ]
    lines = dict.fromkeys(re.sub(r"\s+", " ", text).strip() for text in texts)
    (given.out / "texts.txt").write_text("\n".join(line for line in lines if line) + "\n", encoding="utf-8")
    write_table(given.out / "graded.csv", ("s1", "s2", "score"), stsb(given.data / "stsb-train.csv"))
    write_table(given.out / "validation.csv", ("s1", "s2", "score"), stsb(given.data / "stsb-dev.csv"))
    write_table(given.out / "pairs.csv", ("s1", "s2", "same"), records(given.data / "dblp-acm" / "train.txt"))
    print(f"{len(lines):,} texts; held out: {len(held)} intents")


if __name__ == "__main__":
    main()
