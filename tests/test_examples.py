"""Every example runs from another working directory and prints what it promises."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytestmark = pytest.mark.slow

EXAMPLES = Path(__file__).parent.parent / "examples"
RECIPES = EXAMPLES.parent / "docs" / "recipes.md"
SHORT = [
    "duplicates.py",
    "learn.py",
    "own_vectors.py",
    "recognize.py",
    "resumes.py",
    "same_question.py",
    "same_writer.py",
    "search.py",
    "stages.py",
    "unlabelled.py",
]
APPLICATIONS = ["attendance.py", "support.py", "verification.py", "voices.py"]
NUMBER = r"\d+(?:\.\d+)?"


def start(name: str, folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    """An example that has ended, in a folder."""
    line = [sys.executable, EXAMPLES / name, *map(str, words)]
    return subprocess.run(line, cwd=folder, capture_output=True, text=True, encoding="utf-8")


def run(name: str, folder: Path, *words: object) -> str:
    """The output of an example. It may print progress on standard error, but no warning."""
    done = start(name, folder, *words)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    return done.stdout


def refused(name: str, folder: Path, *words: object) -> str:
    """The one line with which an example ends that cannot do what it is asked for."""
    done = start(name, folder, *words)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def drawing(code: str, folder: Path) -> None:
    """Runs a line of Python beside the examples, which draws their data."""
    before = (
        f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); from pathlib import Path; here = Path({str(folder)!r}); "
    )
    subprocess.run([sys.executable, "-c", before + code], check=True)


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, text
    return float(found[1])


def recipes() -> dict[str, str]:
    """The output of each script that the page of recipes shows."""
    page = RECIPES.read_text(encoding="utf-8")
    return dict(re.findall(r"^```text\n\$ python examples/(\w+\.py)\n(.*?)^```$", page, re.M | re.S))


def assert_shown(name: str, printed: str) -> None:
    """The page of recipes shows this output; figures of a training may differ slightly between machines."""
    shown = recipes()[name]
    assert re.sub(NUMBER, "#", shown) == re.sub(NUMBER, "#", printed)
    figures = [list(map(float, re.findall(NUMBER, text))) for text in (shown, printed)]
    assert figures[0] == pytest.approx(figures[1], rel=0.2, abs=0.3)


def test_the_recipes_are_scripts_that_are_there() -> None:
    page = RECIPES.read_text(encoding="utf-8")
    named = set(re.findall(r"examples/(\w+\.py)", page))
    assert named <= {path.name for path in EXAMPLES.glob("*.py")}
    assert set(recipes()) == {*SHORT} - {"duplicates.py", "learn.py", "own_vectors.py", "search.py"}


def test_every_example_has_a_test() -> None:
    scripts = {path.name for path in EXAMPLES.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert scripts == {"demo.py", *SHORT, *APPLICATIONS}


@pytest.mark.parametrize("name", SHORT)
def test_the_short_examples_are_short(name: str) -> None:
    assert len((EXAMPLES / name).read_text(encoding="utf-8").splitlines()) < 40


def test_search(tmp_path: Path) -> None:
    lines = run("search.py", tmp_path).splitlines()
    photos = len(list((EXAMPLES / "samples" / "clothing").glob("*/*.jpg")))
    assert lines[0] == f"{photos} photos indexed, 0 of them copies, 0 skipped"
    matches = [line.split() for line in lines[2:]]
    assert [match[0] for match in matches] == ["1", "2", "3", "4", "5"]
    scores = [float(match[1]) for match in matches]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] < 0.999, "the photo must not be in the collection"
    assert [match[2] for match in matches].count("shoes") >= 2
    for match in matches:
        assert (EXAMPLES / "samples" / "clothing" / match[2] / match[3]).is_file()
    assert not list(tmp_path.iterdir())


def test_duplicates(tmp_path: Path) -> None:
    lines = run("duplicates.py", tmp_path).splitlines()
    assert lines[0] == "keep the original"
    assert lines[1].startswith("  cropped.jpg: cropped, 0.9")
    assert lines[2].startswith("  mirrored.png: mirrored or rotated, 0.9")
    assert lines[3:] == ["2 files removed, 2 put back"]
    assert not list(tmp_path.iterdir())


def test_recognize(tmp_path: Path) -> None:
    text = run("recognize.py", tmp_path)
    asked = number(r"of (\d+) drawings", text)
    assert number(r": (\d+) of", text) >= 0.7 * asked
    assert number(r"about (\d+)\.", text) == asked / number(r"example of (\d+) characters", text)
    assert_shown("recognize.py", text)


def test_same_writer(tmp_path: Path) -> None:
    text = run("same_writer.py", tmp_path)
    for figure in ("ROC AUC", "EER"):
        taught, before = (number(rf"{name}:.* {figure} ([\d.]+)", text) for name in ("hands", "glyph"))
        assert taught > before if figure == "ROC AUC" else taught < before
    assert number(r"hands: ROC AUC ([\d.]+)", text) > 0.9
    assert number(r"([\d.]+)% balanced accuracy", text) > 75
    assert_shown("same_writer.py", text)
    assert not list(tmp_path.iterdir())


def test_stages(tmp_path: Path) -> None:
    text = run("stages.py", tmp_path)
    before, taught = (number(rf"{name}: .* of ([\d.]+)", text) for name in ("photo", "rash"))
    assert taught > before + 0.05
    placed = [(float(drawn), float(at)) for drawn, at in re.findall(r"drawn at ([\d.]+), placed at ([\d.]+)", text)]
    assert len(placed) == 6
    assert max(abs(drawn - at) for drawn, at in placed) < 0.9
    assert [at for _, at in placed] == sorted(at for _, at in placed)
    assert_shown("stages.py", text)
    assert not list(tmp_path.iterdir())


def test_unlabelled(tmp_path: Path) -> None:
    text = run("unlabelled.py", tmp_path)
    assert number(r"learned without labels +(\d+)%", text) >= number(r"pixels +(\d+)%", text) + 6
    assert_shown("unlabelled.py", text)
    assert not list(tmp_path.iterdir())


def test_same_question(tmp_path: Path) -> None:
    text = run("same_question.py", tmp_path)
    words, before, taught = (number(rf"{name} +ROC AUC ([\d.]+)", text) for name in ("TF-IDF", "text", "bank"))
    assert taught > before
    assert taught > words
    assert_shown("same_question.py", text)
    assert not list(tmp_path.iterdir())


def test_resumes(tmp_path: Path) -> None:
    text = run("resumes.py", tmp_path)
    by_words, found = (number(rf"{name} +(\d+)%", text) for name in ("TF-IDF", "encoder text"))
    assert found >= by_words
    assert text.splitlines()[0][7:].startswith("Registered nurse")
    assert_shown("resumes.py", text)
    assert not list(tmp_path.iterdir())


def test_learn(tmp_path: Path) -> None:
    text = run("learn.py", tmp_path)
    assert number(r"test pairs: ([\d.]+)%", text) >= 95
    same, different = number(r"triangle: ([-\d.]+)", text), number(r"blue circle: +([-\d.]+)", text)
    assert same > 0.6 > 0.5 > different


def test_own_vectors(tmp_path: Path) -> None:
    lines = run("own_vectors.py", tmp_path).splitlines()
    assert [line.split("  ")[2] for line in lines] == [
        "Madrid, latitude 40.4",
        "Oslo, latitude 59.9",
        "Lisbon, latitude 38.7",
    ]
    # Paris and Madrid are 1,060 km apart, 0.1664 of the radius of the earth; this is the cosine of that.
    assert float(lines[0].split()[1]) == pytest.approx(0.986, abs=0.0006)


def test_support_routes_questions(tmp_path: Path) -> None:
    printed = run("support.py", tmp_path)
    one, five = re.findall(r"(\d+) routed right, (\d+) wrong, (\d+) to something else", printed)
    assert [sum(map(int, counts)) for counts in (one, five)] == [140, 140]
    assert int(five[0]) > int(one[0]) > 70
    far = [int(count) for count in re.findall(r"(\d+) of 60 questions .* \(out of scope\)", printed)]
    assert max(far) <= 6
    assert "something else                   0.24" in printed


def test_voices_are_recognized(tmp_path: Path) -> None:
    printed = run("voices.py", tmp_path)
    assert number(r"(\d+) recognized", printed) >= 24
    assert number(r"(\d+) of 60 strangers accepted; calibrated for at most 5%", printed) <= 6


def test_signatures_and_fingerprints_are_verified(tmp_path: Path) -> None:
    printed = run("verification.py", tmp_path)
    assert number(r"(\d+) of 20 forgeries accepted", printed) <= 4
    assert number(r"(\d+) of 20 prints of others accepted", printed) <= 4
    assert len(re.findall(r"of 20 genuine ones accepted", printed)) == 2
    for name in ("signatures", "fingerprints"):
        with Image.open(tmp_path / "demo-output" / f"{name}.png") as picture:
            assert min(picture.size) > 200


def test_attendance_is_kept(tmp_path: Path) -> None:
    printed = run("attendance.py", tmp_path)
    assert "02-0805.jpg: seen before" in printed
    report = printed.partition("attendance.py report")[2]
    assert "2026-03-02  Chidi      08:20 to 17:30, 2 photographs" in report
    assert number(r"(\d+) faces in attendance/unknown", report) == 3


def test_attendance_of_folders_of_ones_own(tmp_path: Path) -> None:
    drawing("import faces; faces.draw_all(here, strangers=29)", tmp_path)
    enrolled = run("attendance.py", tmp_path, "enroll", "people", "--strangers", "strangers")
    assert "at most 10% of strangers accepted, at 95 % confidence" in enrolled
    photo = sorted((tmp_path / "people").rglob("*.png"))[0]
    with Image.open(photo) as picture:
        width, height = picture.size
    assert f"{photo.name} (" in run("attendance.py", tmp_path, "see", photo, "--whole")
    other, third = photo.with_name("other.png"), photo.with_name("third.png")
    other.write_bytes(photo.read_bytes() + b"another content")
    third.write_bytes(photo.read_bytes() + b"a third content")
    assert "no face" not in run("attendance.py", tmp_path, "see", other, "--crop", f"0,0,{width // 2},{height}")
    assert "seen before" in run("attendance.py", tmp_path, "see", other, "--whole")
    for words, reason in (
        (("see", third, "--detector", "yunet.onnx"), "yunet.onnx is no file; give that of YuNet"),
        (("see", third, "--detector", photo), "is not a face detector that OpenCV can use"),
        (("see", third, "--crop", f"0,0,{width + 1},9"), "is not within a picture"),
        (("enroll", "nowhere"), "nowhere is no folder"),
        (("enroll", "people", "--strangers", "door"), "needs at least 29 impostors"),
    ):
        assert reason in refused("attendance.py", tmp_path, *words)


def test_verification_of_files_of_ones_own(tmp_path: Path) -> None:
    draw = "import pens; pens.draw_all(here / {0!r}, 'signatures', people={1}, each={2}, seed={3}, forged={4})"
    drawing(draw.format("others", 19, 4, 1, 1) + "; " + draw.format("all", 2, 5, 2, 2), tmp_path)
    for person in sorted((tmp_path / "all").iterdir()):
        (tmp_path / "people" / person.name).mkdir(parents=True)
        for number in range(3):
            (person / "genuine" / f"{number}.png").rename(tmp_path / "people" / person.name / f"{number}.png")
    asked = sorted((tmp_path / "all" / "person000").rglob("*.png"))
    given = ("people", "others", "person000", *asked)
    printed = run("verification.py", tmp_path, *given, "--far", 0.15)
    assert len(re.findall(r"(?:genuine|refused): ", printed)) == len(asked) == 4
    with Image.open(tmp_path / "demo-output" / "verification.png") as picture:
        assert min(picture.size) > 200
    assert "needs at least 29 impostors, there are 19" in refused("verification.py", tmp_path, *given)
    assert "people has no folder nobody; there are" in refused(
        "verification.py", tmp_path, *given[:2], "nobody", *asked
    )
    assert "nowhere has no folders" in refused("verification.py", tmp_path, "people", "nowhere", *given[2:])


def test_voices_of_folders_of_ones_own(tmp_path: Path) -> None:
    record = "speech.record_all(here / {0!r}, people={1}, recordings={2}, seed={3}); "
    parts = (("people", 2, 4, 1), ("background", 20, 2, 2), ("strangers", 59, 1, 3))
    drawing("import speech; " + "".join(record.format(*part) for part in parts), tmp_path)
    asked = sorted((tmp_path / "people").glob("*/3.wav"))
    asked = [file.rename(tmp_path / f"{file.parent.name}.wav") for file in asked]
    printed = run("voices.py", tmp_path, "people", "background", "strangers", *asked)
    assert [line.split()[0] for line in printed.splitlines()] == [file.name for file in asked]
    (tmp_path / "empty.wav").touch()
    for words, reason in (
        (("people", "background", "background", *asked), "needs at least 59 impostors, there are 20"),
        (("people", "nowhere", "strangers", *asked), "nowhere has no WAV files in folders"),
        (("people", "background", "strangers", "empty.wav"), "empty.wav cannot be read as WAV: it ends too early"),
        (("people", "background", "strangers", "none.wav"), "none.wav cannot be read as WAV: No such file"),
    ):
        assert reason in refused("voices.py", tmp_path, *words)


def test_demo_runs_twice_and_names_its_pictures(tmp_path: Path) -> None:
    (tmp_path / "demo-output").mkdir()
    (tmp_path / "demo-output" / "old.png").write_bytes(b"of an earlier run")
    (tmp_path / "indexes").mkdir()
    text = run("demo.py", tmp_path)
    named = [tmp_path / line for line in text.splitlines() if re.fullmatch(r"demo-output\S+\.png", line)]
    pictures = {path.name for path in named}
    assert {"search.png", "recognized-korean.png", "embedding.png", "curves.png"} <= pictures
    assert "old.png" not in pictures
    for path in named:
        with Image.open(path) as picture:
            assert min(picture.size) >= 200, path
    assert not list((tmp_path / "indexes").iterdir()), "the collections of the user were touched"
    served = re.findall(r"--index (\S+)", text.splitlines()[-1])
    assert "simsearch serve --open" in text
    assert served
    assert all((tmp_path / name / "collection.sqlite").is_file() for name in served)
    check_demo_figures(text)


def check_demo_figures(text: str) -> None:
    nearest = number(r"encoder photo +([\d.]+)%", text)
    assert nearest >= number(r"histogram of colors +([\d.]+)%", text)
    assert nearest > 2 * number(r"chance +([\d.]+)%", text)
    assert number(r"correct: ([\d.]+)%", text) >= 95
    recognized = re.findall(r"(\d+) of (\d+) right", text)
    right, asked = (sum(map(int, column)) for column in zip(*recognized, strict=True))
    assert len(recognized) == 4
    assert 0.8 * asked <= right <= asked
    fitting = number(r"encoder text +([\d.]+)%", text)
    assert fitting >= number(r"words in common \(TF-IDF\) +([\d.]+)%", text)
    assert fitting > 2 * number(r"(?s)TF-IDF.*chance +([\d.]+)%", text)
    assert "$ simsearch index " in text
    assert "$ simsearch query " in text
    assert "$ simsearch train demo-output/shapes -o demo-output/encoders/by-color --preset shapes" in text
    assert "$ simsearch recognize " in text
