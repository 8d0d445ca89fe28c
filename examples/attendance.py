"""Who came on which day, first and last seen: faces in photographs at a door against enrolled people.

    python examples/attendance.py                                   drawn people, in a folder for this run
    python examples/attendance.py enroll PEOPLE --strangers FOLDER  PEOPLE/NAME/*.jpg; one photograph of each stranger
    python examples/attendance.py see door/*.jpg                    photographs may show several people
    python examples/attendance.py report

Faces are found by the frontal cascade of OpenCV (Viola and Jones 2001), or by YuNet with `--detector FILE.onnx`;
`--crop x,y,w,h` takes a part of every picture instead, and `--whole` the picture itself, as for crops that were made
before. Everything is kept in `--in FOLDER` (attendance/): the collection, attendance.sqlite, attendance.csv, and in
unknown/ the faces of unknown visitors; move those of one person to PEOPLE/NAME and `enroll PEOPLE --whole`.
A photograph counts once, by its content; its time is that of the camera (EXIF), else that of the file.

`--encoder photo`, the default, is for objects and serves for a first look. For people convert a network for faces
(simsearch convert FACES.onnx -o encoders/faces) and give its folder. Faces are personal data: ask before you enroll.
Needs OpenCV and scipy: pip install "simsearch[dedupe,distinct]".
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path

import faces
from PIL import Image
from portraits import Finding, crops_of, opened, photographs, taken_at

import simsearch

FAR = 0.1
TABLES = """
CREATE TABLE IF NOT EXISTS photo (sha256 TEXT PRIMARY KEY, path TEXT NOT NULL, taken TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS seen (sha256 TEXT NOT NULL REFERENCES photo, label TEXT, score REAL NOT NULL, crop TEXT);
"""
DAYS = """
SELECT date(taken), coalesce(label, 'unknown'), min(time(taken)), max(time(taken)), count(DISTINCT sha256)
FROM seen JOIN photo USING (sha256) GROUP BY 1, 2 ORDER BY 1, label IS NULL, 2
"""


def largest(files: list[Path], how: Finding) -> dict[Path, Image.Image]:
    """The largest face of each photograph; those without a face are named."""
    found = {}
    for file in files:
        crops = crops_of(opened(file), how)
        if crops:
            found[file] = max(crops, key=lambda crop: crop.width)
        else:
            print(f"  no face found in {file}; give --crop x,y,w,h, or another photograph")
    return found


def enroll(given: argparse.Namespace) -> None:
    """Enrolls the people, and calibrates the threshold on strangers, or without them on the people themselves."""
    with simsearch.Collection.open_or_create(given.folder / "faces", encoder=given.encoder) as collection:
        for person in sorted({path.parent for path in photographs(given.people)} - {given.people}):
            faces = largest(photographs(person), given.how)
            report = collection.enroll(person.name, list(faces.values()))
            print(f"  {person.name}: {report.added} enrolled, {report.existing} had been before")
            for finding in report.findings:
                row = int(finding.path.removeprefix("row "))
                print(f"    look at {list(faces)[row].name}: {finding.reason}")
        with tempfile.TemporaryDirectory() as folder:
            strangers = largest(photographs(given.strangers), given.how) if given.strangers else {}
            for number, crop in enumerate(strangers.values()):
                crop.save(Path(folder) / f"{number:05}.png")
            made = collection.calibrate(FAR, impostors=folder if given.strangers else None).calibration.threshold
    promise = "at 95 % confidence" if made.guaranteed else "an estimate, no guarantee: give --strangers"
    print(f"  threshold {made.score:.3f}: at most {FAR:.0%} of strangers accepted, {promise}")


@contextlib.contextmanager
def database(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database, in one transaction."""
    with contextlib.closing(sqlite3.connect(folder / "attendance.sqlite")) as connection:
        connection.executescript(TABLES)
        with connection:
            yield connection


def see(given: argparse.Namespace) -> None:
    """Recognizes the faces of each photograph that is new; all in one photograph are different people."""
    (given.folder / "unknown").mkdir(exist_ok=True)
    with simsearch.Collection.open(given.folder / "faces") as collection:
        for path in given.photos:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            with database(given.folder) as connection:
                if connection.execute("SELECT 1 FROM photo WHERE sha256 = ?", (digest,)).fetchone():
                    print(f"  {path.name}: seen before")
                    continue
                with Image.open(path) as picture:
                    taken = taken_at(path, picture)
                crops = crops_of(opened(path), given.how)
                answers = collection.recognize_many(crops, distinct=True) if crops else []
                connection.execute("INSERT INTO photo VALUES (?, ?, ?)", (digest, str(path), taken.isoformat(" ")))
                for number, (crop, answer) in enumerate(zip(crops, answers, strict=True)):
                    kept = None
                    if answer.label is None:
                        kept = f"unknown/{taken:%Y%m%d-%H%M%S}-{digest[:8]}-{number}.png"
                        crop.save(given.folder / kept)
                    row = (digest, answer.label, answer.score, kept)
                    connection.execute("INSERT INTO seen VALUES (?, ?, ?, ?)", row)
            named = ", ".join(f"{answer.label or 'unknown'} {answer.score:.2f}" for answer in answers)
            print(f"  {path.name} ({taken:%Y-%m-%d %H:%M}): {named or 'no face found'}")


def report(given: argparse.Namespace) -> None:
    """Prints the first and last time of each person on each day, and writes them as CSV."""
    with database(given.folder) as connection:
        rows = connection.execute(DAYS).fetchall()
    with (given.folder / "attendance.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("day", "who", "first", "last", "photographs"), *rows])
    for day, who, first, last, count in rows:
        print(f"  {day}  {who:10} {first[:5]} to {last[:5]}, {count} photograph{'s' * (count != 1)}")


def box(words: str) -> tuple[int, int, int, int]:
    x, y, width, height = map(int, words.split(","))
    return x, y, width, height


def arguments(words: list[str] | None = None) -> argparse.Namespace:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--in", dest="folder", type=Path, default=Path("attendance"), help="where everything is kept")
    common.add_argument("--crop", type=box, action="append", default=[], help="x,y,width,height of a face in pixels")
    common.add_argument("--whole", action="store_true", help="each picture is a face as it is")
    common.add_argument("--detector", type=Path, help="YuNet's ONNX file")
    parser = argparse.ArgumentParser(description="Who came on which day, first and last seen.")
    commands = parser.add_subparsers(dest="command")
    enrolling = commands.add_parser("enroll", parents=[common], help="enroll PEOPLE/NAME/*.jpg and calibrate")
    enrolling.add_argument("people", type=Path)
    enrolling.add_argument("--strangers", type=Path, help="a photograph of each of some who are not enrolled")
    enrolling.add_argument("--encoder", default="photo", help="of a new collection")
    seeing = commands.add_parser("see", parents=[common], help="recognize who is in photographs")
    seeing.add_argument("photos", nargs="+", type=Path)
    commands.add_parser("report", parents=[common], help="first and last seen on each day")
    given = parser.parse_args(words)
    if given.command:
        given.how = Finding(given.whole, tuple(given.crop), given.detector)
        given.folder.mkdir(parents=True, exist_ok=True)
    return given


def drawn(folder: Path) -> None:
    """Draws people, strangers and two days at the door, and runs the three commands on them."""
    faces.draw_all(folder)
    door = [str(path) for path in photographs(folder / "door")]
    kept = ["--in", str(folder / "attendance")]
    print("$ attendance.py enroll people --strangers strangers")
    enroll(arguments(["enroll", str(folder / "people"), "--strangers", str(folder / "strangers"), *kept]))
    print("$ attendance.py see door/*.jpg")
    see(arguments(["see", *door, door[0], *kept]))
    print("$ attendance.py report")
    report(arguments(["report", *kept]))
    print(f"  {len(photographs(folder / 'attendance' / 'unknown'))} faces in attendance/unknown")


def main() -> None:
    given = arguments()
    if given.command:
        try:
            {"enroll": enroll, "see": see, "report": report}[given.command](given)
        except simsearch.SimsearchError as error:
            raise SystemExit(f"Error: {error}") from None
        return
    with tempfile.TemporaryDirectory() as folder:
        drawn(Path(folder))


if __name__ == "__main__":
    main()
