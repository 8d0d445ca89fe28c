"""Routes questions to an intent that was enrolled from a few examples, or to "something else".

    python examples/support.py                              the shipped questions to a bank
    python examples/support.py "where is my new card?"      questions of your own to the same intents
    python examples/support.py --intents QUESTIONS.csv --others OTHERS.txt QUESTION ...

QUESTIONS.csv has the columns `text` and `intent`. OTHERS.txt has in each line a question that is of none of them,
as such questions will come; from these the threshold is calibrated (29 are the least for 10 % at 95 % confidence).
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
FAR = 0.1
MOST = 5
"""Examples of an intent that are enrolled at most; the shipped questions after these are asked."""


def questions_of(table: Path, column: str) -> dict[str, list[str]]:
    """The questions for each value of a column."""
    found: dict[str, list[str]] = {}
    with table.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            found.setdefault(row[column], []).append(row["text"])
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
    intents = questions_of(SAMPLES / "questions.csv", "intent")
    desk = router(folder, {intent: asked[:examples] for intent, asked in intents.items()}, SAMPLES / "others.txt")
    asked = [(intent, question) for intent, questions in intents.items() for question in questions[MOST:]]
    answers = route(desk, [question for _, question in asked])
    right = sum(answer.label == intent for (intent, _), answer in zip(asked, answers, strict=True))
    lost = sum(answer.label is None for answer in answers)
    print(f"{examples} example{'s' * (examples > 1)} of each of {len(intents)} intents, {len(asked)} other questions:")
    print(f"  {right} routed right, {len(asked) - right - lost} wrong, {lost} to {SOMETHING_ELSE}")
    for kind, questions in questions_of(SAMPLES / "unknown.csv", "kind").items():
        accepted = sum(answer.label is not None for answer in route(desk, questions))
        print(f"  {accepted} of {len(questions)} questions that are of no intent ({kind}) routed to one")
    return desk


def main() -> None:
    parser = argparse.ArgumentParser(description="Routes questions to intents.")
    parser.add_argument("question", nargs="*", help="questions to route; none: measure with the shipped ones")
    parser.add_argument("--intents", type=Path, default=SAMPLES / "questions.csv", help="a table with text and intent")
    parser.add_argument("--others", type=Path, default=SAMPLES / "others.txt", help="a question in each line")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.question:
            with router(Path(folder) / "desk", questions_of(given.intents, "intent"), given.others) as desk:
                show(given.question, route(desk, given.question))
            return
        measure(Path(folder) / "one", examples=1).close()
        with measure(Path(folder) / "five", examples=MOST) as desk:
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
