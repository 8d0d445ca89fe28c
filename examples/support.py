"""Routes questions to an intent that was enrolled from a few examples, or to "something else".

    python examples/support.py                              the shipped questions to a bank
    python examples/support.py "where is my new card?"      questions of your own to the same intents
    python examples/support.py --intents QUESTIONS.csv --others OTHERS.csv QUESTION ...

QUESTIONS.csv has the columns `text` and `intent`, OTHERS.csv the column `text`: one question each of at least 59 things
that you do not handle, from which the threshold is calibrated (59 are the least for 5 % at a confidence of 95 %).
Nothing is trained; a new intent needs a few lines in the table.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import simsearch

SAMPLES = Path(__file__).parent / "samples" / "support"
SOMETHING_ELSE = "something else"
FAR = 0.05


def questions_of(table: Path) -> dict[str, list[str]]:
    """The questions of each intent."""
    found: dict[str, list[str]] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["intent"], []).append(row["text"])
    return found


def router(folder: Path, intents: Mapping[str, Sequence[str]], others: Path) -> simsearch.Collection:
    """A collection that recognizes the intents; questions of none are accepted at a rate of at most FAR."""
    made = simsearch.Collection.create(folder, encoder="text")
    for intent, questions in intents.items():
        made.enroll(intent, [simsearch.Text(question) for question in questions])
    made.calibrate(FAR, impostors=others)
    return made


def route(desk: simsearch.Collection, questions: Sequence[str]) -> list[simsearch.Recognition]:
    return desk.recognize_many([simsearch.Text(question) for question in questions])


def show(questions: Sequence[str], answers: Sequence[simsearch.Recognition]) -> None:
    for question, answer in zip(questions, answers, strict=True):
        surely = "" if answer.probability is None else f"P {answer.probability:.2f}"
        print(f"  {answer.label or SOMETHING_ELSE:32} {answer.score:.2f} {surely:7} {question}")


def measure(folder: Path, examples: int) -> simsearch.Collection:
    """Routes the shipped questions that were not enrolled, and prints how many arrive."""
    intents = questions_of(SAMPLES / "questions.csv")
    others = SAMPLES / "other-intents.csv"
    desk = router(folder, {intent: asked[:examples] for intent, asked in intents.items()}, others)
    asked = [(intent, question) for intent, questions in intents.items() for question in questions[5:]]
    answers = route(desk, [question for _, question in asked])
    right = sum(answer.label == intent for (intent, _), answer in zip(asked, answers, strict=True))
    lost = sum(answer.label is None for answer in answers)
    with (SAMPLES / "out-of-scope.csv").open(newline="", encoding="utf-8") as file:
        outside = [row["text"] for row in csv.DictReader(file)]
    kept_out = sum(answer.label is None for answer in route(desk, outside))
    plural = "example" if examples == 1 else "examples"
    print(
        f"{examples} {plural} of each of {len(intents)} intents: {right} of {len(asked)} questions routed right, "
        f"{lost} to {SOMETHING_ELSE}, {len(asked) - right - lost} wrong; "
        f"{kept_out} of {len(outside)} out of scope kept out"
    )
    return desk


def main() -> None:
    parser = argparse.ArgumentParser(description="Routes questions to intents.")
    parser.add_argument("question", nargs="*", help="questions to route; none: measure with the shipped ones")
    parser.add_argument("--intents", type=Path, default=SAMPLES / "questions.csv", help="a table: text,intent")
    parser.add_argument("--others", type=Path, default=SAMPLES / "other-intents.csv", help="a table: text")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.question:
            with router(Path(folder) / "desk", questions_of(given.intents), given.others) as desk:
                show(given.question, route(desk, given.question))
            return
        measure(Path(folder) / "one", examples=1).close()
        with measure(Path(folder) / "five", examples=5) as desk:
            asked = [
                "How do I get a new card to my address in Spain?",
                "I need to call off a transfer that I have just made",
                "the exchange was done at a bad rate",
                "Which bus goes to the airport?",
            ]
            print("Some questions, each with its score and the probability that the intent is right:")
            show(asked, route(desk, asked))


if __name__ == "__main__":
    main()
