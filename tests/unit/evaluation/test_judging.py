"""Encoders judged on material: the figures are those of the pure functions, and nothing flatters in silence."""

from __future__ import annotations

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from simsearch.encoders import open_encoder
from simsearch.encoders.folder import read_config, write_config
from simsearch.encoders.onnx import OnnxEncoder
from simsearch.errors import MediaError, TrainingError, UsageError
from simsearch.evaluation import embedding, metrics
from simsearch.evaluation.embedding import embed
from simsearch.evaluation.evaluate import Reading, evaluate
from simsearch.evaluation.judging import Options, judge_triplets
from simsearch.evaluation.protocols import episodes
from simsearch.evaluation.results import PairDetail, RunsDetail, Section
from simsearch.evaluation.runs import draw_runs, run_accuracies
from simsearch.evaluation.selection import Selection
from simsearch.evaluation.tfidf import tfidf
from simsearch.labelled.material import Labelled
from simsearch.progress import Silent
from simsearch.types import JSONValue

SMALL = Options(episodes=50, pairs=200, rounds=50, at=(1, 3))


@pytest.fixture(scope="module")
def encoder(tiny: Path) -> OnnxEncoder:
    found = open_encoder(tiny)
    assert isinstance(found, OnnxEncoder)
    return found


def told(folder: Path, tiny: Path, **record: JSONValue) -> OnnxEncoder:
    """The small encoder with a record of how it was trained."""
    shutil.copytree(tiny, folder)
    config = read_config(folder)
    figures: dict[str, JSONValue] = {"threshold": 0.25}
    write_config(folder, replace(config, training=record, figures=figures))
    found = open_encoder(folder)
    assert isinstance(found, OnnxEncoder)
    return found


def by_protocol(sections: tuple[Section, ...]) -> dict[str, Section]:
    return {section.protocol: section for section in sections}


def write_table(path: Path, rows: list[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


SENTENCES = ["a man plays a guitar", "a man is playing the guitar", "the dog sleeps", "a dog is asleep", "two cats run"]


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    rows = [(0, 1, 4.8), (2, 3, 4.0), (0, 2, 0.4), (1, 4, 0.2), (3, 4, 1.5)]
    return write_table(
        tmp_path / "graded.csv",
        [("left", "right", "score"), *[(SENTENCES[a], SENTENCES[b], grade) for a, b, grade in rows]],
    )


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    rows = [(0, 1, 1), (2, 3, 1), (0, 2, 0), (1, 4, 0), (3, 4, 0)]
    return write_table(
        tmp_path / "pairs.csv",
        [("left", "right", "same"), *[(SENTENCES[a], SENTENCES[b], same) for a, b, same in rows]],
    )


def test_class_folders_are_judged_by_all_that_fits(encoder: OnnxEncoder, alphabets: Path) -> None:
    found = evaluate(encoder, alphabets, options=SMALL)
    assert found.labels is not None
    vectors = encoder.encode(found.sources)
    groups = np.array([Path(path).parent.parent.name for path in found.sources])
    sections = by_protocol(found.systems[0].sections)
    assert list(sections) == ["episodes", "verification", "retrieval"]
    expected = episodes(vectors, found.labels, ways=4, shots=1, queries=1, count=50, seed=0, groups=groups)
    assert list(sections["episodes"].figures) == ["4-way 1-shot"]
    shot = sections["episodes"].figures["4-way 1-shot"]
    assert (shot.value, shot.high - shot.value) == pytest.approx((expected.accuracy, expected.half_width))
    drawn = metrics.sample_pairs(found.labels, 200, np.random.default_rng(0))
    scores, same = metrics.pair_scores(vectors, found.labels, pairs=drawn)
    assert sections["verification"].figures["roc_auc"].value == pytest.approx(metrics.roc_auc(scores, same))
    assert "accuracy" not in sections["verification"].figures
    retrieved = {name: figure.value for name, figure in sections["retrieval"].figures.items()}
    assert retrieved == pytest.approx(metrics.retrieval(vectors, found.labels, (1, 3)))
    assert found.remarks == () and found.skipped == ()


def test_the_same_request_gives_the_same_record(encoder: OnnxEncoder, alphabets: Path) -> None:
    records = [evaluate(encoder, alphabets, options=SMALL, with_baselines=True).record() for _ in range(2)]
    assert records[0] == records[1] == json.loads(json.dumps(records[0], allow_nan=False))
    other = evaluate(encoder, alphabets, options=replace(SMALL, seed=1), with_baselines=True).record()
    assert other != records[0]


def test_baselines_are_asked_the_same(encoder: OnnxEncoder, alphabets: Path) -> None:
    found = evaluate(encoder, alphabets, options=SMALL, with_baselines=True)
    assert [system.name for system in found.systems] == ["tiny", "raw pixels", "color histogram"]
    details = [by_protocol(system.sections)["verification"].detail for system in found.systems]
    for detail in details:
        assert isinstance(detail, PairDetail) and isinstance(details[0], PairDetail)
        np.testing.assert_array_equal(detail.pairs, details[0].pairs)
    assert [system.dim for system in found.systems] == [24, 3072, 512]


def test_runs_are_drawn_within_the_alphabets(encoder: OnnxEncoder, alphabets: Path) -> None:
    found = evaluate(encoder, alphabets, protocols=["runs"], options=replace(SMALL, runs=6, ways=(4,)))
    (section,) = found.systems[0].sections
    assert found.labels is not None
    groups = np.array([Path(path).parent.parent.name for path in found.sources])
    runs = draw_runs(found.sources, found.labels, groups, runs=6, ways=4, seed=0)
    assert section.figures["accuracy"].value == run_accuracies(encoder.encode(found.sources), runs).mean()
    assert section.setting == "6 runs of two drawers, 4 ways, 24 queries"
    with pytest.raises(UsageError, match="drew 20 of its characters"):
        evaluate(encoder, alphabets, protocols=["runs"], options=SMALL)


def test_a_folder_of_runs_is_judged_as_it_stands(
    encoder: OnnxEncoder, tiny_text: Path, alphabets: Path, tmp_path: Path
) -> None:
    run = tmp_path / "all_runs" / "run01"
    lines = []
    for number in range(4):
        source = alphabets / "Greek" / f"character{number}"
        for part, drawer in (("training", 1), ("test", 2)):
            (run / part).mkdir(parents=True, exist_ok=True)
            shutil.copy(source / f"{2 * number:04}_0{drawer}.png", run / part / f"{number}.png")
        lines.append(f"run01/test/{number}.png run01/training/{number}.png\n")
    (run / "class_labels.txt").write_text("".join(lines))
    found = evaluate(encoder, run.parent, options=SMALL, with_baselines=True)
    assert [section.protocol for system in found.systems for section in system.sections] == ["runs"] * 3
    detail = found.systems[0].sections[0].detail
    assert isinstance(detail, RunsDetail)
    vectors = encoder.encode(found.systems[0].sections[0].detail.runs.sources)  # type: ignore[union-attr]
    assert detail.given[0].tolist() == (vectors[4:] @ vectors[:4].T).argmax(axis=1).tolist()
    with pytest.raises(UsageError, match="folder of runs, which --protocol retrieval does not fit"):
        evaluate(encoder, run.parent, protocols=["retrieval"])
    with pytest.raises(UsageError, match="runs of images, but tiny-text is an encoder of modality text"):
        evaluate(open_encoder(tiny_text), run.parent)
    with pytest.raises(UsageError, match="which a choice of classes"):
        evaluate(encoder, run.parent, selection=Selection(held_out=True))
    (run / "test" / "2.png").write_bytes(b"no image")
    with pytest.raises(MediaError, match=r"2\.png: .*a run needs all of its images"):
        evaluate(encoder, run.parent)


def test_grades_and_pairs_of_texts(tiny_text: Path, graded: Path, pairs: Path) -> None:
    encoder = open_encoder(tiny_text)
    found = evaluate(encoder, graded, options=SMALL, with_baselines=True)
    (section,) = found.systems[0].sections
    with graded.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))[1:]
    left, right = (encoder.encode([row[side] for row in rows]) for side in (0, 1))
    grades = np.array([4.8, 4.0, 0.4, 0.2, 1.5])
    assert section.figures["spearman"].value == pytest.approx(metrics.spearman((left * right).sum(axis=1), grades))
    assert section.setting == "5 pairs, graded from 0.2 to 4.8"
    vectors = tfidf(found.sources)
    assert found.systems[1].name == "TF-IDF"
    np.testing.assert_array_equal(found.systems[1].vectors, vectors)
    judged = evaluate(encoder, pairs, options=SMALL, threshold=0.3)
    figures = judged.systems[0].sections[0].figures
    scores = np.array([float(a @ b) for a, b in zip(left, right, strict=True)])
    same = np.array([True, True, False, False, False])
    assert figures["roc_auc"].value == pytest.approx(metrics.roc_auc(scores, same))
    assert figures["accuracy"].value == pytest.approx(metrics.accuracy_at(scores, same, 0.3))


def test_triplets(tiny_text: Path, tmp_path: Path) -> None:
    right = (SENTENCES[0], SENTENCES[1], SENTENCES[2])
    rows = [("anchor", "positive", "negative"), right, right, (right[0], right[2], right[1])]
    table = write_table(tmp_path / "triplets.csv", rows)
    (section,) = evaluate(open_encoder(tiny_text), table, options=SMALL).systems[0].sections
    assert (section.protocol, section.setting) == ("triplets", "3 triplets")
    assert section.figures["accuracy"].value == pytest.approx(2 / 3)


def test_a_triplet_of_equal_cosines_is_worth_a_half() -> None:
    vectors = np.eye(3, dtype=np.float32)
    data = Labelled("text", "triplets", ("a", "b", "c"), triplets=np.array([[0, 1, 2], [0, 0, 2]]))
    assert judge_triplets(vectors, data, SMALL).figures["accuracy"].value == 0.75


def test_the_threshold_comes_from_elsewhere(encoder: OnnxEncoder, alphabets: Path, tmp_path: Path, tiny: Path) -> None:
    other = shutil.copytree(alphabets / "Greek", tmp_path / "other")
    given = {"protocols": ["verification"], "options": SMALL, "selection": Selection(tests=("Latin",))}
    found = evaluate(encoder, alphabets, threshold_from=other, with_baselines=True, **given)  # type: ignore[arg-type]
    thresholds = []
    for system in found.systems:
        detail = system.sections[0].detail
        assert isinstance(detail, PairDetail) and detail.threshold is not None
        assert detail.threshold.origin == "chosen on 200 other pairs"
        expected = metrics.accuracy_at(detail.scores, detail.same, detail.threshold.value)
        assert system.sections[0].figures["accuracy"].value == expected
        thresholds.append(detail.threshold.value)
    assert len(set(thresholds)) == 3
    record = evaluate(told(tmp_path / "told", tiny), alphabets, with_baselines=True, **given)  # type: ignore[arg-type]
    own, raw = (system.sections[0] for system in record.systems[:2])
    assert isinstance(own.detail, PairDetail) and own.detail.threshold is not None
    assert (own.detail.threshold.value, "accuracy" in raw.figures) == (0.25, False)


def test_a_threshold_that_would_flatter_is_refused(
    encoder: OnnxEncoder, alphabets: Path, tiny_text: Path, pairs: Path, graded: Path
) -> None:
    with pytest.raises(UsageError, match="20 of its files or texts are also evaluated on"):
        evaluate(encoder, alphabets, threshold_from=alphabets, selection=Selection(tests=("Latin",)))
    text = open_encoder(tiny_text)
    with pytest.raises(UsageError, match="5 of its pairs are also evaluated on"):
        evaluate(text, pairs, threshold_from=pairs)
    with pytest.raises(UsageError, match="a threshold needs classes or pairs"):
        evaluate(text, pairs, threshold_from=graded)
    with pytest.raises(UsageError, match="give one of them"):
        evaluate(text, pairs, threshold_from=pairs, threshold=0.5)
    with pytest.raises(UsageError, match="which is not among the protocols"):
        evaluate(text, pairs, protocols=["graded"], threshold=0.5)


def test_a_threshold_from_the_validation_side_of_the_same_file(tiny_text: Path, tmp_path: Path) -> None:
    rows = [(a, b, int(a % 2 == b % 2)) for a in range(5) for b in range(a)]
    texts = ["dog one", "cat two", "dog three", "cat four", "dog five"]
    table = write_table(
        tmp_path / "sides.csv",
        [("left", "right", "same", "split")]
        + [(texts[a], texts[b], same, ("validation", "test")[n % 2]) for n, (a, b, same) in enumerate(rows)],
    )
    found = evaluate(open_encoder(tiny_text), table, options=SMALL, threshold_from=table)
    detail = found.systems[0].sections[0].detail
    assert isinstance(detail, PairDetail) and detail.threshold is not None
    assert (len(detail.pairs), detail.threshold.origin) == (5, "chosen on 5 other pairs")
    assert found.remarks == ("Evaluated on the test partition of the data, 5 of 10 rows.",)
    everything = evaluate(open_encoder(tiny_text), table, options=SMALL, selection=Selection(partition="all"))
    assert everything.remarks == ("Evaluated on all partitions of the data, including train.",)
    with pytest.raises(UsageError, match="the data has no rows in this partition"):
        evaluate(open_encoder(tiny_text), table, selection=Selection(partition="train"))
    with pytest.raises(UsageError, match="no partition 'left'"):
        evaluate(open_encoder(tiny_text), table, selection=Selection(partition="left"))


def test_held_out_classes_are_those_of_the_record(tiny: Path, alphabets: Path, tmp_path: Path) -> None:
    names = [f"Latin/character{number}" for number in range(4)]
    old = told(tmp_path / "old", tiny, held_out=list(names))
    split: JSONValue = {"train": {"groups": ["Greek"]}, "validation": {"groups": []}, "test": {"groups": ["Latin"]}}
    new = told(tmp_path / "new", tiny, split_record=split)
    for encoder in (old, new):
        found = evaluate(encoder, alphabets, options=SMALL, selection=Selection(held_out=True))
        assert len(found.sources) == 20 and all("Latin" in path for path in found.sources)
        assert found.remarks == ()
    assert "4 of 8 classes are not among those" in evaluate(old, alphabets, options=SMALL).remarks[0]
    assert (
        "4 of 8 classes were trained on, by their names, so the figures are too high. --held-out leaves"
        in evaluate(new, alphabets, options=SMALL).remarks[0]
    )
    greek = Selection(tests=("Greek",))
    assert "4 of 4 classes were trained on" in evaluate(new, alphabets, options=SMALL, selection=greek).remarks[0]
    with pytest.raises(UsageError, match=r"none of the 8 classes .* is among the 1 that were held out"):
        strange = told(tmp_path / "strange", tiny, held_out=["Tifinagh/character1"])
        evaluate(strange, alphabets, selection=Selection(held_out=True))
    with pytest.raises(UsageError, match="names no held-out classes"):
        evaluate(open_encoder(tiny), alphabets, selection=Selection(held_out=True))
    with pytest.raises(UsageError, match="no class or group 'Runes'; there are Greek, Latin"):
        evaluate(old, alphabets, selection=Selection(tests=("Runes",)))


def test_what_its_start_or_a_member_has_learned_is_not_unseen(tiny: Path, alphabets: Path, tmp_path: Path) -> None:
    latin = [f"Latin/character{number}" for number in range(4)]
    split: JSONValue = {"train": {"groups": ["Greek"]}, "test": {"groups": ["Latin"]}}
    onward = told(tmp_path / "onward", tiny, split_record=split, held_out=latin[2:], seen_before=latin[:2])
    found = evaluate(onward, alphabets, options=SMALL, selection=Selection(held_out=True))
    assert {Path(path).parent.name for path in found.sources} == {"character2", "character3"}
    assert found.remarks == ()
    assert "6 of 8 classes were trained on" in evaluate(onward, alphabets, options=SMALL).remarks[0]
    inner: list[JSONValue] = [{"name": "one", "training": {"split_record": split}}, {"name": "two", "training": {}}]
    joined = told(tmp_path / "joined", tiny, joined=inner, held_out=latin)
    assert "4 of 8 classes were trained on" in evaluate(joined, alphabets, options=SMALL).remarks[0]


def test_what_does_not_fit_is_told(encoder: OnnxEncoder, alphabets: Path, tiny_text: Path, graded: Path) -> None:
    text = open_encoder(tiny_text)
    with pytest.raises(
        UsageError, match="needs graded pairs, but the data is classes; protocols for it: episodes, runs"
    ):
        evaluate(encoder, alphabets, protocols=["graded"])
    for protocol in ("episodes", "verification", "retrieval", "triplets"):
        with pytest.raises(UsageError, match="but the data is graded; protocols for it: graded"):
            evaluate(text, graded, protocols=[protocol])
    with pytest.raises(UsageError, match="graded have no classes to choose from"):
        evaluate(text, graded, selection=Selection(tests=("a",)))
    with pytest.raises(UsageError, match="no protocol 'best'; there are episodes"):
        evaluate(encoder, alphabets, protocols=["best"])
    with pytest.raises(UsageError, match="--partition test: the data has no partitions"):
        evaluate(encoder, alphabets, selection=Selection(partition="test"))
    with pytest.raises(TrainingError, match="does not exist"):
        evaluate(encoder, alphabets / "nothing")


def test_a_default_that_cannot_be_measured_is_left_out_with_a_remark(
    encoder: OnnxEncoder, alphabets: Path, tmp_path: Path
) -> None:
    for name, count in (("a", 2), ("b", 1)):
        (tmp_path / "few" / name).mkdir(parents=True)
        for number in range(1, count + 1):
            source = alphabets / "Greek" / f"character{'ab'.index(name)}" / f"{2 * 'ab'.index(name):04}_0{number}.png"
            shutil.copy(source, tmp_path / "few" / name)
    found = evaluate(encoder, tmp_path / "few", options=SMALL)
    assert [section.protocol for section in found.systems[0].sections] == ["verification", "retrieval"]
    assert found.remarks[0].startswith("episodes was omitted: 2 ways need 2 classes with at least 2 examples")
    with pytest.raises(UsageError, match="2 ways need 2 classes"):
        evaluate(encoder, tmp_path / "few", protocols=["episodes"])
    (tmp_path / "few" / "a" / "0000_02.png").unlink()
    with pytest.raises(UsageError, match="ways need"):
        evaluate(encoder, tmp_path / "few", options=SMALL)


def test_files_that_cannot_be_read_are_listed_and_left_out(
    encoder: OnnxEncoder, alphabets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(alphabets, tmp_path / "copy")
    broken = copy / "Greek" / "character1" / "0002_03.png"
    broken.write_bytes(broken.read_bytes()[:60])
    found = evaluate(encoder, copy, options=SMALL, with_baselines=True)
    assert [skip.path for skip in found.skipped] == [str(broken)]
    assert len(found.sources) == 39 == len(found.systems[1].vectors)
    whole = embed(encoder, found.sources, Silent())
    np.testing.assert_allclose(found.systems[0].vectors, whole.vectors, atol=1e-6)
    monkeypatch.setattr(embedding, "BATCH", 7)
    np.testing.assert_allclose(embed(encoder, found.sources, Silent()).vectors, whole.vectors, atol=1e-6)
    with pytest.raises(MediaError, match=r"none of 1 inputs can be read; the first: .*0002_03\.png"):
        embed(encoder, [str(broken)], Silent())


def test_other_modalities_have_no_baselines() -> None:
    with pytest.raises(UsageError, match="no baselines for 'sound'"):
        embedding.baselines_for("sound")


def test_nothing_to_judge_by_is_told(tiny_text: Path, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("one\ntwo\n")
    with pytest.raises(UsageError, match="the data is unlabelled, without labels"):
        evaluate(open_encoder(tiny_text), tmp_path / "lines.txt", reading=Reading(kind="unlabelled"))
