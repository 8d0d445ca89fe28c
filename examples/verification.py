"""Verifies signatures and fingerprints: is this by the person who is named, at a rate of false accepts that is known?

    python examples/verification.py                          drawn signatures and fingerprints
    python examples/verification.py PEOPLE OTHERS NAME FILE ... [--far 0.1]

PEOPLE/NAME has the enrolled pictures of each person. OTHERS is for calibration, with at least 29 people who are not
enrolled (29 are the least for --far 0.1, 19 for 0.15, at 95 % confidence): OTHERS/NAME/genuine with four pictures or
more, and where there are some OTHERS/NAME/forged, whose first is the attempt of an impostor; without it, the picture of
another person is. Enroll as many pictures of each person as REFERENCES says, as the calibration does. The verdicts are
printed and shown beside the enrolled pictures in demo-output/.

The encoder `strokes` serves without training, for a first look. Train it on genuine and forged signatures of writers
of yours, and give the folder of the result as ENCODER; with it fewer forgeries pass (docs/training.md).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pens

import simsearch
from simsearch.media.sheets import SheetRow, Tile, contact_sheet
from simsearch.recognition.probability import ProbabilityMap, fit_logistic
from simsearch.recognition.threshold import guaranteed_threshold

ENCODER = "strokes"
FAR = 0.1
REFERENCES = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a picture is by the person `name`; `probability` is P(genuine | score) if half of all attempts are."""

    file: Path
    name: str
    answer: simsearch.Recognition
    probability: float

    @property
    def genuine(self) -> bool:
        return self.answer.label == self.name

    def __str__(self) -> str:
        """The verdict, the score and the probability; a picture that is nearer to another is refused for that."""
        nearest = self.answer.evidence[0].example.label
        if nearest != self.name:
            return f"refused: nearer to {nearest}"
        return f"{'genuine' if self.genuine else 'refused'}: score {self.answer.score:.3f}, P {self.probability:.2f}"


def pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".tif", ".bmp"))


def folders_in(folder: Path) -> list[Path]:
    found = sorted(one for one in folder.iterdir() if one.is_dir()) if folder.is_dir() else []
    if not found:
        raise SystemExit(f"{folder} has no folders; give one with a folder for each person")
    return found


def calibrated(encoder: simsearch.Encoder, others: Path, far: float) -> tuple[float, ProbabilityMap]:
    """The threshold that one impostor of each other person sets, and the probability that an attempt is genuine.

    Each person has REFERENCES pictures, and one further that is genuine. The score is that of collections, the average
    of the cosine to the nearest reference and that to their mean.
    """
    folders = folders_in(others)
    genuine = [pictures(folder / "genuine")[: REFERENCES + 1] for folder in folders]
    few = [folder for folder, files in zip(folders, genuine, strict=True) if len(files) <= REFERENCES]
    if few:
        raise SystemExit(f"{few[0]} has fewer than {REFERENCES + 1} pictures in genuine/; add some, or leave it out")
    forged = [pictures(folder / "forged")[:1] for folder in folders]
    own = encoder.encode([file for files in genuine for file in files]).reshape(len(folders), REFERENCES + 1, -1)
    attempts = np.roll(own[:, REFERENCES], 1, axis=0)
    with_forgery = [row for row, files in enumerate(forged) if files]
    if with_forgery:
        attempts[with_forgery] = encoder.encode([forged[row][0] for row in with_forgery])
    references = own[:, :REFERENCES]
    scores = [scored(references, asked) for asked in (own[:, REFERENCES], attempts)]
    right = np.repeat([True, False], len(folders))
    curve = fit_logistic(np.concatenate(scores).astype(np.float64), right, np.ones(len(right)))
    return guaranteed_threshold(scores[1], far, 0.95).score, curve


def scored(references: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """The score of each picture with its references, (people, dim) with (people, REFERENCES, dim)."""
    nearest = np.einsum("prd,pd->pr", references, asked).max(axis=1)
    mean = references.sum(axis=1)
    return (nearest + np.einsum("pd,pd->p", mean, asked) / np.linalg.norm(mean, axis=1)) / 2


class Verifier:
    """The enrolled people, with a threshold from other ones."""

    def __init__(self, folder: Path, people: Path, others: Path, far: float = FAR) -> None:
        self.enrolled = {one.name: pictures(one) for one in folders_in(people)}
        self.threshold, self.curve = calibrated(simsearch.open_encoder(ENCODER), others, far)
        self.collection = simsearch.Collection.create(folder, encoder=ENCODER)
        for name, files in self.enrolled.items():
            self.collection.enroll(name, files)

    def verify(self, name: str, files: Sequence[Path]) -> list[Verdict]:
        """A verdict for each file: genuine if it is nearest to an enrolled picture of `name`, and near enough."""
        answers = self.collection.recognize_many(files, threshold=self.threshold)
        chances = self.curve(np.array([answer.score for answer in answers])).tolist()
        return [Verdict(*each) for each in zip(files, [name] * len(files), answers, chances, strict=True)]

    def row(self, verdict: Verdict) -> SheetRow:
        """The picture with its verdict, beside the enrolled ones."""
        color = "#2e7d32" if verdict.genuine else "#c62828"
        asked = Tile(verdict.file.read_bytes(), (verdict.file.name, *str(verdict).split(": ")), color)
        return SheetRow(
            "", (asked, *(Tile(file.read_bytes(), (verdict.name,)) for file in self.enrolled[verdict.name]))
        )


def save(verifier: Verifier, verdicts: Sequence[Verdict], picture: str) -> None:
    path = Path("demo-output") / picture
    path.parent.mkdir(exist_ok=True)
    contact_sheet([verifier.row(verdict) for verdict in verdicts], tile=240).save(path)
    print(f"  {path.as_posix()} shows {len(verdicts)} of them beside the enrolled ones")


def drawn(folder: Path, kind: str) -> None:
    """Verifies drawn pictures: genuine ones, and forgeries or those of other people."""
    forged = 4 if kind == "signatures" else 0
    others = pens.draw_all(folder / "others", kind, people=29, each=REFERENCES + 1, seed=1, forged=forged // 4)
    every = pens.draw_all(folder / "all", kind, people=5, each=REFERENCES + 4, seed=2, forged=forged)
    for person in sorted(every.iterdir()):
        (folder / "people" / person.name).mkdir(parents=True)
        for file in pictures(person / "genuine")[:REFERENCES]:
            file.rename(folder / "people" / person.name / file.name)
    verifier = Verifier(folder / "collection", folder / "people", others)
    names = list(verifier.enrolled)
    genuine, false = list[Verdict](), list[Verdict]()
    for name, next_one in zip(names, names[1:] + names[:1], strict=True):
        genuine += verifier.verify(name, pictures(every / name / "genuine"))
        attempt = every / name / "forged" if forged else every / next_one / "genuine"
        false += verifier.verify(name, pictures(attempt))
    attempts = "forgeries" if forged else "prints of others"
    print(f"{kind}: threshold {verifier.threshold:.3f}, for at most {FAR:.0%} of {attempts} accepted")
    print(f"  {sum(one.genuine for one in genuine)} of {len(genuine)} genuine ones accepted")
    print(f"  {sum(one.genuine for one in false)} of {len(false)} {attempts} accepted")
    print(f"  a genuine one: {genuine[0]}")
    print(f"  a false one:   {false[0]}")
    save(verifier, [*genuine[:2], *false[:2]], f"{kind}.png")
    verifier.collection.close()


def verify(people: Path, others: Path, name: str, files: Sequence[Path], far: float, folder: Path) -> None:
    """Verifies files of a user, and prints and shows the verdicts."""
    if not (people / name).is_dir():
        raise SystemExit(
            f"{people} has no folder {name}; there are {', '.join(one.name for one in folders_in(people))}"
        )
    verifier = Verifier(folder / "collection", people, others, far)
    verdicts = verifier.verify(name, files)
    for verdict in verdicts:
        print(f"  {verdict}  {verdict.file.name}")
    save(verifier, verdicts, "verification.png")
    verifier.collection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="Is this by the person who is named?")
    parser.add_argument("people", type=Path, nargs="?", help="a folder of enrolled pictures for each person")
    parser.add_argument("others", type=Path, nargs="?", help="people for calibration: OTHERS/NAME/genuine and forged")
    parser.add_argument("name", nargs="?", help="who it should be")
    parser.add_argument("files", type=Path, nargs="*", help="pictures to verify")
    parser.add_argument("--far", type=float, default=FAR, help="share of false attempts that may be accepted")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if given.people is None:
            for kind in ("signatures", "fingerprints"):
                drawn(Path(folder) / kind, kind)
        elif not given.files:
            parser.error("give PEOPLE, OTHERS, NAME and a FILE, or nothing at all")
        else:
            try:
                verify(given.people, given.others, given.name, given.files, given.far, Path(folder))
            except simsearch.SimsearchError as error:
                raise SystemExit(f"Error: {error}") from None


if __name__ == "__main__":
    main()
