"""Pairs are refused by cheap looks first; whatever is a copy passes, and pictures are read no oftener than needed."""

from __future__ import annotations

import io
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from scenes import scene, soft

from simsearch.duplicates.finding import proving
from simsearch.duplicates.finding.evidence import Evidence, described, examine, examine_sketched, settled
from simsearch.duplicates.finding.features import view, view_of
from simsearch.duplicates.finding.kinds import PRESETS
from simsearch.duplicates.finding.nearest import nearest_pairs
from simsearch.duplicates.finding.proving import Prover, Source
from simsearch.duplicates.finding.screening import HALF, Sketch, promising, sketch, sketched
from simsearch.errors import UsageError

EDITS = {
    "small": lambda p: p.resize((120, 90)),
    "flat": lambda p: p.resize((480, 270)),
    "dark": lambda p: ImageEnhance.Brightness(p).enhance(0.5),
    "gray": lambda p: ImageOps.grayscale(p).convert("RGB"),
    "mirrored": ImageOps.mirror,
    "turned": lambda p: p.rotate(90, expand=True),
    "tilted": lambda p: p.rotate(12, expand=True),
    "cut": lambda p: p.crop((100, 80, 360, 300)),
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(3)),
    "framed": lambda p: ImageOps.expand(p, 50, "navy"),
}


def png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "PNG")
    return stream.getvalue()


def sketch_of(picture: Image.Image) -> Sketch:
    return sketched(view_of(np.asarray(picture.convert("RGB")), side=HALF))


class Shelf:
    """Pictures by number, some of them missing or broken, that counts how often each is read."""

    def __init__(self, *pictures: Image.Image | bytes | None) -> None:
        self.contents = [png(one) if isinstance(one, Image.Image) else one for one in pictures]
        self.reads: Counter[int] = Counter()
        self.failures: dict[int, str] = {}
        self.viewed: set[int] = set()

    def read(self, number: int) -> bytes | None:
        self.reads[number] += 1
        return self.contents[number]

    def fail(self, number: int, why: str) -> None:
        self.failures[number] = why

    def prover(self) -> Prover:
        return Prover(Source(self.read, self.fail, lambda number, content, picture: self.viewed.add(number)))


# -- sketches ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("original", "missed"), [(scene(1), ()), (soft(1), ("tilted",))])
def test_copies_are_promising_in_both_directions(original: Image.Image, missed: tuple[str, ...]) -> None:
    # Without features a picture that is tilted is not aligned by `examine` either.
    whole = sketch_of(original)
    copies = [sketch_of(edit(original)) for name, edit in EDITS.items() if name not in missed]
    assert promising(whole, copies) == [True] * len(copies)
    assert [promising(copy, [whole]) for copy in copies] == [[True]] * len(copies)


def test_other_scenes_are_not() -> None:
    others = [sketch_of(scene(seed)) for seed in range(2, 12)]
    assert promising(sketch_of(scene(1)), others) == [False] * len(others)


def test_pictures_with_nothing_on_them_are_promising_for_nothing() -> None:
    plain = sketch_of(Image.new("RGB", (300, 200), "gray"))
    assert plain.sparse and len(plain.features) == 0
    assert promising(plain, [plain, sketch_of(scene(1))]) == [False, False]
    assert promising(sketch_of(scene(1)), [plain]) == [False]
    assert promising(plain, []) == []


def test_the_sketch_of_a_file_is_that_of_its_pixels() -> None:
    of_file, of_pixels = sketch(png(scene(1))), sketch_of(scene(1))
    np.testing.assert_array_equal(of_file.features.descriptors, of_pixels.features.descriptors)
    np.testing.assert_array_equal(of_file.gray, of_pixels.gray)
    assert of_file.gray.shape == (75, 100)


def test_strong_evidence_of_sketches_settles_a_pair_and_its_transformation_is_that_of_views() -> None:
    pictures = scene(1), scene(1).crop((60, 40, 400, 320)).resize((680, 560))
    sketches, views = tuple(map(sketch_of, pictures)), tuple(view(png(one)) for one in pictures)
    brief = examine_sketched((sketches[0], sketches[1]), (views[0], views[1]))
    assert brief is not None and settled(brief, (sketches[0], sketches[1]))
    full = examine(described(views[0]), described(views[1]))
    assert full is not None and brief.score == pytest.approx(full.score, abs=0.1)
    np.testing.assert_allclose(brief.on_originals(*views), [[2, 0, -119.5], [0, 2, -79.5]], atol=4)


def test_evidence_in_between_settles_nothing() -> None:
    rich, few = sketch_of(scene(1)), sketch_of(soft(1))
    assert not settled(None, (rich, rich))
    strong = examine_sketched((rich, rich), (view(png(scene(1))), view(png(scene(1)))))
    assert isinstance(strong, Evidence) and settled(strong, (rich, rich)) and not settled(strong, (rich, few))


# -- proving -------------------------------------------------------------------------------------------------------


def test_pairs_are_proved_as_if_each_were_examined_in_full() -> None:
    pictures = [
        scene(1),
        EDITS["mirrored"](scene(1)),
        scene(2),
        EDITS["cut"](scene(2)),
        soft(1),
        EDITS["dark"](soft(1)),
    ]
    shelf = Shelf(*pictures)
    pairs = list(combinations(range(6), 2))
    found = dict(shelf.prover()(pairs))
    assert set(found) == set(pairs)
    proved = {pair for pair, one in found.items() if one is not None and one.evidence.score >= PRESETS["default"].score}
    assert proved == {(0, 1), (2, 3), (4, 5)}
    mirrored = found[0, 1]
    assert mirrored is not None
    np.testing.assert_allclose(mirrored.matrix, [[-1, 0, 479], [0, 1, 0]], atol=2)
    assert shelf.viewed == set(range(6)) and max(shelf.reads.values()) == 2


def test_what_is_held_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(scene(1), scene(2), scene(3))
    prover = shelf.prover()
    list(prover([(0, 1), (0, 2)]))
    list(prover([(1, 2)]))
    assert shelf.reads == {0: 1, 1: 1, 2: 1} and shelf.viewed == set()
    monkeypatch.setattr(proving, "SKETCHES", 1)
    forgetful = shelf.prover()
    list(forgetful([(0, 1)]))
    list(forgetful([(0, 1)]))
    assert shelf.reads[1] <= 2 < shelf.reads[0]


def test_what_cannot_be_read_is_left_out_and_told() -> None:
    shelf = Shelf(scene(1), None, b"broken", EDITS["dark"](scene(1)))
    found = dict(shelf.prover()([(0, 1), (0, 2), (0, 3), (1, 2)]))
    assert set(found) == {(0, 3)} and found[0, 3] is not None
    assert set(shelf.failures) == {2}


def test_more_pairs_than_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VIEWS", "FULL"):
        monkeypatch.setattr(proving, name, 2)
    shelf = Shelf(*[ImageEnhance.Brightness(soft(1)).enhance(level / 10) for level in range(7, 11)])
    found = dict(shelf.prover()(list(combinations(range(4), 2))))
    assert len(found) == 6
    assert all(one is not None and one.evidence.score >= PRESETS["default"].score for one in found.values())


def test_pictures_that_need_no_proof_are_viewed() -> None:
    shelf = Shelf(scene(1), None, scene(2))
    shelf.prover().look([(0, 1), (0, 2)])
    assert shelf.viewed == {0, 2}


# -- nearest -------------------------------------------------------------------------------------------------------


def unit(count: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((count, 8)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("rows", "among"), [((0, 60), (0, 60)), ((40, 60), (0, 60)), ((0, 40), (40, 60)), ((3, 3), (0, 60))]
)
@pytest.mark.parametrize("most", [1, 4, 100])
def test_the_nearest_are_those_of_comparing_all(monkeypatch: pytest.MonkeyPatch, rows, among, most: int) -> None:
    monkeypatch.setattr("simsearch.duplicates.finding.nearest.STRIP", 16)
    monkeypatch.setattr("simsearch.duplicates.finding.nearest.TILE", 16)
    vectors, low, high = unit(60), 0.2, 0.8
    scores = vectors @ vectors.T
    wanted = set()
    for i in range(*rows):
        close = [j for j in range(*among) if j != i and low <= scores[i, j] < high]
        wanted |= {(min(i, j), max(i, j)) for j in sorted(close, key=lambda j: -scores[i, j])[:most]}
    found = list(nearest_pairs(vectors, most, (low, high), range(*rows), range(*among)))
    assert {pair for part in found for pair in zip(part.left.tolist(), part.right.tolist(), strict=True)} == wanted
    for part in found:
        np.testing.assert_allclose(part.scores, scores[part.left, part.right], rtol=1e-6)


def test_less_than_one_neighbor_is_refused() -> None:
    with pytest.raises(UsageError, match="most 0"):
        list(nearest_pairs(unit(3), 0, (0.0, 1.0), range(3), range(3)))
