"""Writers of a collection killed at random moments, with readers open: is what was acknowledged there, and right?"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from simsearch.collection import Collection
from simsearch.errors import CollectionNotFoundError, EncoderError, LockedError, SimsearchError
from simsearch.types import Text

if TYPE_CHECKING:
    from simsearch.types import Vectors

DIM = 32
NAMES, LABELS = 400, ("Ana", "Bela", "Chen", "Dana")
OPERATIONS = {"add": 6, "remove": 3, "enroll": 2, "forget": 1, "reindex": 2, "roll_back": 1, "export": 1, "compact": 2}
"""How often each is drawn."""
QUERIES = ("red", "green", "blue")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--readers", type=int, default=2, help="processes that query all along, with two threads each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=1.5, help="seconds that a writer lives at most")
    parser.add_argument("--act", nargs=3, help=argparse.SUPPRESS)
    parser.add_argument("--read", nargs=1, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.act:
        act(Path(options.act[0]), int(options.act[1]), Path(options.act[2]))
        return
    if options.read:
        read(Path(options.read[0]))
        return
    from measuring import Bar, Report

    with tempfile.TemporaryDirectory() as place:
        found = trial(Path(place), options.kills, options.seed, readers=options.readers, longest=options.longest)
    done = ", ".join(f"{count:,} {name}" for name, count in sorted(found.acknowledged.items()))
    cut = ", ".join(f"{count:,} {name}" for name, count in sorted(found.interrupted.items()))
    Report(
        "faults",
        "After a kill at any moment every acknowledged change is there, nothing is half there, the check is clean, and "
        "answers equal exact search over what the store holds; readers are answered all along, from one state.",
        f"{options.kills} kills of a writer, {options.readers} reading processes of two threads, seed {options.seed}",
        [
            ("what", "number"),
            ("changes acknowledged", f"{sum(found.acknowledged.values()):,}: {done}"),
            ("changes that a kill interrupted", f"{sum(found.interrupted.values()):,}: {cut}"),
            ("answers that readers got and checked", f"{found.answers:,}"),
        ],
        [Bar("violations", len(found.violations), at_most=0)],
        found.violations[:20],
    ).publish()
    sys.exit(1 if found.violations else 0)


# -- two encoders whose vectors cannot be confused ------------------------------------------------------------------


@dataclass(frozen=True)
class Prepared:
    text: str
    remark: str = ""
    incomplete: bool = False
    width: None = None
    height: None = None


@dataclass(frozen=True)
class Hashed:
    """Every text has a direction of its own; those of two encoders have nothing in common."""

    name: str
    modality: str = "text"
    dim: int = DIM

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.name.encode()).hexdigest()[:16]

    def prepare(self, source: Any) -> Prepared:
        return Prepared(source.decode() if isinstance(source, bytes) else str(source))

    def embed(self, prepared: Sequence[Prepared]) -> Vectors:
        return np.array([self.direction(one.text) for one in prepared], dtype=np.float32).reshape(-1, DIM)

    def encode(self, sources: Sequence[Any]) -> Vectors:
        return self.embed([self.prepare(source) for source in sources])

    def direction(self, text: str) -> Vectors:
        digest = hashlib.sha256(f"{self.name} {text}".encode()).digest()
        row = np.frombuffer(digest, dtype=np.uint8).astype(np.float64) - 127.5
        return (row / np.linalg.norm(row)).astype(np.float32)


ENCODERS = (Hashed("one"), Hashed("other"))


def opened(folder: Path) -> Collection:
    """The collection with the encoder that it has now."""
    while True:
        for encoder in ENCODERS:
            collection = Collection.open(folder, encoder)
            if collection.store.setting("fingerprint") == encoder.fingerprint:
                return collection
            collection.close()


# -- the writer, which is killed ------------------------------------------------------------------------------------


def act(folder: Path, seed: int, log: Path) -> None:
    """Changes the collection for ever; each change is announced in the log before, and acknowledged behind."""
    rng = random.Random(seed)
    with log.open("a", encoding="utf-8") as stream:
        note(stream, {"ready": True})
        while True:
            with opened(folder) as collection:
                for _ in range(rng.randrange(1, 6)):
                    change = drawn(rng, collection)
                    note(stream, {"begin": change})
                    perform(collection, change)
                    note(stream, {"done": True})
                    if change["what"] in ("reindex", "roll_back"):
                        break


def note(stream: Any, record: dict[str, Any]) -> None:
    stream.write(json.dumps(record) + "\n")
    stream.flush()


def drawn(rng: random.Random, collection: Collection) -> dict[str, Any]:
    """A random change of those that this version knows."""
    known = {name: weight for name, weight in OPERATIONS.items() if name == "add" or hasattr(collection, name)}
    if not (collection.folder.with_name(f"{collection.folder.name}.previous") / "collection.sqlite").exists():
        known.pop("roll_back")
    what = rng.choices(list(known), list(known.values()))[0]
    if what == "add":
        names = rng.sample(range(NAMES), rng.choice((1, 20, 200)))
        return {"what": what, "items": {f"n{name}": f"text {rng.randrange(600)}" for name in names}}
    if what == "remove":
        return {"what": what, "names": [f"n{name}" for name in rng.sample(range(NAMES), rng.choice((1, 30)))]}
    if what == "enroll":
        return {"what": what, "label": rng.choice(LABELS), "texts": [f"example {rng.randrange(60)}" for _ in range(3)]}
    if what == "forget":
        return {"what": what, "label": rng.choice(LABELS)}
    return {"what": what}


def perform(collection: Collection, change: dict[str, Any]) -> None:
    what = change["what"]
    if what == "add":
        collection.add_texts(list(change["items"]), list(change["items"].values()))
    elif what == "remove":
        collection.remove(change["names"])
    elif what == "enroll":
        collection.enroll(change["label"], [Text(text) for text in change["texts"]])
    elif what == "forget":
        collection.forget(change["label"])
    elif what == "reindex":
        fingerprint = collection.store.setting("fingerprint")
        collection.reindex(next(one for one in ENCODERS if one.fingerprint != fingerprint))
    elif what == "roll_back":
        collection.roll_back(encoder=next(one for one in ENCODERS if one.fingerprint == previous(collection)))
    elif what == "export":
        collection.export(collection.folder.with_name("all.jsonl"))
    else:
        getattr(collection, what)()


def previous(collection: Collection) -> str | None:
    with Collection.open(collection.folder.with_name(f"{collection.folder.name}.previous")) as kept:
        return kept.store.setting("fingerprint")


# -- readers, which look on -----------------------------------------------------------------------------------------


def read(folder: Path) -> None:
    """Queries in two threads until standard input ends; prints how many answers were checked, and what was wrong."""
    stop, counts, wrong = threading.Event(), [0, 0], list[str]()

    def ask(number: int) -> None:
        while not stop.is_set():
            try:
                with opened(folder) as collection:
                    counts[number] += asked(collection, stop, wrong)
            except (CollectionNotFoundError, LockedError) as error:
                wrong.append(f"a reader was refused: {error}")
            except SimsearchError as error:
                wrong.append(f"a reader failed: {type(error).__name__}: {error}")
            if len(wrong) > 20:
                return

    # Whatever else ends a thread is a violation too.
    threading.excepthook = lambda failure: wrong.append(f"a reader has died: {failure.exc_value!r}")
    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"answers": sum(counts), "wrong": wrong[:20]}), flush=True)


def asked(collection: Collection, stop: threading.Event, wrong: list[str]) -> int:
    """Queries the collection for a while; returns how many answers were checked."""
    checked = 0
    for turn in range(12):
        if stop.is_set():
            break
        query = QUERIES[turn % len(QUERIES)]
        encoder = collection.encoder
        for match in collection.query(Text(query), 5):
            expected = float(encoder.encode([query])[0] @ encoder.encode([match.item.text or ""])[0])
            if abs(expected - match.score) > 1e-4:
                wrong.append(f"{query!r} and {match.item.text!r} scored {match.score:.4f} in place of {expected:.4f}")
        checked += 1
        # So that the writer, which is what is tried, gets its share of the processors.
        stop.wait(0.02)
        if turn % 4 == 3:
            try:
                collection.refresh()
                collection.encoder  # noqa: B018
            except EncoderError:
                # Another state, of the other encoder, has taken the place.
                break
    return checked


# -- what is found --------------------------------------------------------------------------------------------------


@dataclass
class Found:
    """What a trial has seen."""

    acknowledged: Counter[str] = field(default_factory=Counter)
    interrupted: Counter[str] = field(default_factory=Counter)
    answers: int = 0
    violations: list[str] = field(default_factory=list)


@dataclass
class Model:
    """What the collection must hold."""

    items: dict[str, str] = field(default_factory=dict)
    examples: dict[str, set[str]] = field(default_factory=dict)

    def apply(self, change: dict[str, Any]) -> None:
        what = change["what"]
        if what == "add":
            self.items |= change["items"]
        elif what == "remove":
            for name in change["names"]:
                self.items.pop(name, None)
        elif what == "enroll":
            self.examples.setdefault(change["label"], set()).update(change["texts"])
        elif what == "forget":
            self.examples.pop(change["label"], None)

    def copy(self) -> Model:
        return Model(dict(self.items), {label: set(texts) for label, texts in self.examples.items()})


def trial(place: Path, kills: int, seed: int, *, readers: int, longest: float) -> Found:
    """Kills a writer so many times, and looks at the collection each time."""
    rng, found, model = random.Random(seed), Found(), Model()
    folder = place / "indexes" / "killed"
    with Collection.create(folder, ENCODERS[0]) as made:
        made.add_texts(["n0"], ["text 0"])
        model.items["n0"] = "text 0"
    with reading(folder, readers, found):
        for number in range(kills):
            log = place / f"{number}.log"
            kill_one(folder, rng.randrange(2**31), log, rng.uniform(0, longest))
            unfinished = replay(log, model, found)
            examine(folder, model, unfinished, found, number)
    return found


@contextlib.contextmanager
def reading(folder: Path, count: int, found: Found) -> Iterator[None]:
    line = [sys.executable, __file__, "--read", str(folder)]
    children = [subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        yield
    finally:
        for child in children:
            out, _ = child.communicate(timeout=120)
            report = json.loads(out.splitlines()[-1]) if out else {"answers": 0, "wrong": ["a reader has died"]}
            found.answers += report["answers"]
            found.violations += report["wrong"]


def kill_one(folder: Path, seed: int, log: Path, seconds: float) -> None:
    """Starts a writer and kills it so many seconds after it is ready."""
    line = [sys.executable, __file__, "--act", str(folder), str(seed), str(log)]
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as child:
        while child.poll() is None and not (log.exists() and log.stat().st_size):
            time.sleep(0.005)
        try:
            child.wait(seconds)
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
        _, errors = child.communicate()
        if child.returncode == 1:
            raise RuntimeError(f"the writer failed: {errors}")


def replay(log: Path, model: Model, found: Found) -> dict[str, Any] | None:
    """Brings the model to what was acknowledged; returns the change that was not."""
    begun: dict[str, Any] | None = None
    for text in log.read_text(encoding="utf-8").splitlines(keepends=True):
        if not text.endswith("\n"):
            break
        record = json.loads(text)
        if "begin" in record:
            begun = record["begin"]
        elif "done" in record and begun is not None:
            model.apply(begun)
            found.acknowledged[begun["what"]] += 1
            begun = None
    if begun is not None:
        found.interrupted[begun["what"]] += 1
    return begun


def examine(folder: Path, model: Model, unfinished: dict[str, Any] | None, found: Found, number: int) -> None:
    """Compares the collection with the model, which then takes over what became of the unfinished change."""
    wrong = found.violations
    after = model.copy()
    if unfinished is not None:
        after.apply(unfinished)
    try:
        with opened(folder) as collection:
            items = {item.uri: item.text or "" for item in collection.items()}
            examples: dict[str, set[str]] = {}
            for example in collection.examples():
                examples.setdefault(example.label, set()).add(example.text or "")
            for name in items.keys() | model.items.keys() | after.items.keys():
                if items.get(name) not in (model.items.get(name), after.items.get(name)):
                    wrong.append(f"kill {number}: {name} is {items.get(name)!r}, not {model.items.get(name)!r}")
            for label in LABELS:
                has = examples.get(label, set())
                if has not in (model.examples.get(label, set()), after.examples.get(label, set())):
                    wrong.append(f"kill {number}: {label} has {len(has)} examples")
            report = collection.check()
            wrong += [f"kill {number}: {one}" for one in (*report.store_problems, *report.index_problems)]
            wrong += [f"kill {number}: {one}" for one in inexact(collection)]
    except SimsearchError as error:
        wrong.append(f"kill {number}: {type(error).__name__}: {error}")
        return
    model.items, model.examples = items, examples


def inexact(collection: Collection) -> Iterator[str]:
    """Answers that differ from exact search over what the store holds."""
    pages = list(collection.store.vectors())
    if not pages:
        return
    ids, vectors = (np.concatenate([page[part] for page in pages]) for part in (0, 1))
    queries = collection.encoder.encode(QUERIES)
    _, scores = collection.search(queries, 10)
    exact = -np.sort(-(queries.astype(np.float64) @ vectors.T.astype(np.float64)), axis=1)[:, :10]
    if scores.shape != exact.shape or np.abs(scores - exact).max() > 1e-4:
        yield f"answers differ from exact search over {len(ids)} vectors"
    known = collection.store.items_of(ids.tolist())
    expected = collection.encoder.encode([known[one][0].text or "" for one in ids.tolist()])
    if np.abs(expected - vectors).max() > 1e-5:
        yield "a vector is not that of its text"


if __name__ == "__main__":
    main()
