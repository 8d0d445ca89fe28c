"""The report: well-formed, complete, safe with any names, and drawn as the arrays say."""

from __future__ import annotations

import base64
import csv
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from simsearch.encoders import open_encoder
from simsearch.errors import UsageError
from simsearch.evaluation.evaluate import evaluate
from simsearch.evaluation.judging import EvaluationOptions
from simsearch.evaluation.open_set.measure import GRID, OpenSet
from simsearch.evaluation.ranking import rank_queries
from simsearch.evaluation.report import check_report, sections, write_report
from simsearch.evaluation.report.charts import grades, heatmap, histogram, interval, roc
from simsearch.evaluation.report.maps import CELL, SIDE, embedding_map
from simsearch.evaluation.report.open_set import open_set
from simsearch.evaluation.report.page import page
from simsearch.evaluation.report.pictures import Gallery, data_uri
from simsearch.evaluation.report.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Plane, ticks
from simsearch.evaluation.results import Evaluation, GradedDetail, OpenSetDetail, PairDetail, Section, Threshold
from simsearch.evaluation.statistics.curves import curve
from simsearch.evaluation.statistics.intervals import Figure
from simsearch.evaluation.statistics.reliability import Reliability
from simsearch.types import Skip

SMALL = EvaluationOptions(episodes=20, pairs=100, rounds=20, at=(1, 3))
EMPTY = ("meta", "img", "br", "path", "rect", "circle", "image")


class Page(HTMLParser):
    """A page taken apart; raises when its elements do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in EMPTY
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


@pytest.fixture(scope="module")
def pictures(tiny: Path, alphabets: Path) -> Evaluation:
    protocols = ("runs", "episodes", "verification", "retrieval", "open-set")
    return evaluate(
        open_encoder(tiny),
        alphabets,
        protocols=protocols,
        options=replace(SMALL, ways=(4,), runs=6),
        threshold=0.5,
        with_baselines=True,
    )


@pytest.fixture(scope="module")
def written(pictures: Evaluation) -> str:
    """The page of the pictures."""
    return page(pictures)


@pytest.fixture(scope="module")
def texts(tiny_text: Path, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    table = tmp_path_factory.mktemp("texts") / "graded.csv"
    sentences = [f"{word} {other}" for word in ("red", "blue & green", "<b>bold</b>") for other in ("cat", "dog")]
    rows = [(a, b, round(3.0 + (number % 7) / 4, 2)) for number, a in enumerate(sentences) for b in sentences[:number]]
    with table.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([("left", "right", "score"), *rows])
    return evaluate(open_encoder(tiny_text), table, options=SMALL, with_baselines=True)


def test_a_page_is_whole_and_loads_nothing(written: str, texts: Evaluation) -> None:
    assert page(texts) == page(texts)
    for text in (written, page(texts)):
        found = Page(text)
        assert not found.all("script") and not found.all("link") and "@import" not in text and "url(" not in text
        for tag, attributes in found.tags:
            for name in ("src", "href", "xlink:href", "srcset", "data", "action"):
                value = attributes.get(name)
                assert value is None or value.startswith("data:image/" if tag in ("img", "image") else "#")
            assert not any(name.startswith("on") for name in attributes)
        policy = [meta["content"] for meta in found.all("meta") if meta.get("http-equiv") == "Content-Security-Policy"]
        assert policy == ["default-src 'none'; img-src data:; style-src 'unsafe-inline'"]
        assert "prefers-color-scheme: dark" in text


def test_a_page_can_be_heard(written: str) -> None:
    found = Page(written)
    assert found.all("html") == [{"lang": "en"}]
    assert all(image["alt"] for image in found.all("img"))
    for svg in re.findall(r"<svg.*?</svg>", written, re.S):
        assert 'aria-hidden="true"' in svg or re.match(r'<svg role="img"[^>]*><title>[^<]+</title><desc>[^<]+', svg)
    links = {attributes["href"] for attributes in found.all("a")}
    anchors = {f"#{attributes['id']}" for _, attributes in found.tags if attributes.get("id")}
    assert links == {"#figures", "#runs", "#episodes", "#verification", "#retrieval", "#open-set", "#map"} == anchors
    assert all(cell.get("scope") in ("row", "col") for cell in found.all("th") if cell)
    assert len(found.all("caption")) == len(found.all("table"))


def test_every_figure_is_on_the_page(pictures: Evaluation, written: str) -> None:
    words = Page(written).words
    for system in pictures.systems:
        assert system.name in words
        for section in system.sections:
            assert section.setting in words
            for figure in section.figures.values():
                assert f"{figure.value:.3f}".replace("-", "−") in words
    assert "accuracy · runs" in words and "TAR at FAR 0.001" in words and "predicted different" in words


def test_pictures_are_within_the_page_and_are_those_of_the_files(pictures: Evaluation, written: str) -> None:
    uris = [image["src"] or "" for image in Page(written).all("img")]
    assert len(uris) > 30
    opened = [Image.open(BytesIO(base64.b64decode(uri.partition(",")[2]))) for uri in uris]
    assert {picture.size for picture in opened} == {(108, 108)}
    first = Image.open(pictures.sources[0]).convert("RGB")
    shown = Image.open(BytesIO(base64.b64decode(Gallery.of(pictures).uri(0, 24).partition(",")[2]))).convert("RGB")
    assert np.abs(np.asarray(shown).astype(int) - np.asarray(first).astype(int)).mean() < 12


def test_flat_drawings_become_png_and_photos_jpeg() -> None:
    assert data_uri(Image.new("RGB", (99, 99), "white")).startswith("data:image/png;base64,")
    noise = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    assert data_uri(Image.fromarray(noise)).startswith("data:image/jpeg;base64,")


def test_names_cannot_break_out(tiny: Path, alphabets: Path, tmp_path: Path) -> None:
    hostile = '<script>alert("1")<&'
    root = tmp_path / "material"
    for number, name in enumerate((hostile, "plain & simple")):
        shutil.copytree(alphabets / "Greek" / f"character{number}", root / name)
    evaluation = evaluate(open_encoder(tiny), root, options=SMALL)
    remarked = replace(evaluation, remarks=(hostile,), encoder=hostile, data=f"/a/{hostile}")
    text = page(remarked)
    assert "<script" not in text
    assert Page(text).words.count(hostile) > 5


def test_texts_are_shown_as_texts(texts: Evaluation) -> None:
    text = page(texts)
    found = Page(text)
    assert not found.all("img") and not found.all("image")
    assert "<b>bold</b> cat" in found.words and "<b>bold" not in text
    assert "Scored far too high" in found.words and "Scored far too low" in found.words
    long = replace(texts, sources=tuple(f"{text} {'word ' * 100}" for text in texts.sources))
    assert re.search(r"word wor?d?…", Page(page(long)).words)


def test_a_picture_that_is_gone_leaves_a_word(pictures: Evaluation, tmp_path: Path) -> None:
    gone = replace(pictures, sources=tuple(str(tmp_path / Path(path).name) for path in pictures.sources))
    found = Page(page(gone))
    assert not found.all("img") and not found.all("image")
    assert "blank" in {attributes.get("class") for attributes in found.all("div")}


def test_what_was_left_out_is_listed_and_other_protocols_have_figures_alone(pictures: Evaluation) -> None:
    section = Section("triplets", "3 triplets", {"accuracy": Figure(0.5, 0.25, 0.75)})
    system = replace(pictures.systems[0], sections=(section,))
    words = Page(page(replace(pictures, systems=(system,), skipped=(Skip("a<b.png", "no image"),)))).words
    assert "1 could not be read. a<b.png: no image" in words
    assert "accuracy 0.500 0.250 to 0.750" in words


def test_many_classes_have_a_table_and_few_a_picture(pictures: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert pictures.labels is not None
    vectors = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ranked = rank_queries(vectors, pictures.labels)
    retrieval = Section("retrieval", "", {}, ranked)
    monkeypatch.setattr(sections, "WORST_QUERIES", 1)
    arguments = (retrieval, [("tiny", retrieval)], vectors, Gallery.of(pictures), 0)
    few = sections.show(*arguments)
    monkeypatch.setattr(sections, "MOST_CLASSES", 7)
    many = sections.show(*arguments)
    assert "Confusion of classes" in few and "Confusion of classes" not in many
    confused = np.zeros((8, 8), dtype=int)
    np.add.at(confused, (pictures.labels[ranked.rows], pictures.labels[ranked.best]), 1)
    np.fill_diagonal(confused, 0)
    rows = re.findall(
        r'<th scope="row">(\S+)</th><td>(\S+)</td><td class="number">(\d+)</td><td class="number">(\d+)%', many
    )
    assert [int(count) for *_, count, _ in rows] == sorted(confused[confused > 0].tolist(), reverse=True)[:15]
    for asked, found, count, share in rows:
        assert confused[pictures.classes.index(asked), pictures.classes.index(found)] == int(count)
        assert int(share) == int(count) * 20


def test_nothing_wrong_is_told(tiny: Path, alphabets: Path) -> None:
    perfect = np.repeat(np.eye(8, 24, dtype=np.float32), 5, axis=0)
    evaluation = evaluate(
        open_encoder(tiny), alphabets, protocols=["retrieval", "runs"], options=replace(SMALL, ways=(4,))
    )

    class Perfect:
        name, fingerprint, modality, dim = "perfect", "0", "image", 24

        def prepare(self, source: object) -> object:
            return source

        def embed(self, prepared: list[str]) -> np.ndarray:
            return perfect[[evaluation.sources.index(source) for source in prepared]]

    found = evaluate(Perfect(), alphabets, protocols=["retrieval", "runs"], options=replace(SMALL, ways=(4,)))  # type: ignore[arg-type]
    words = Page(page(found)).words
    assert "Every query has one of its own class as its nearest neighbor." in words
    assert "Every answer is correct." in words


def test_a_report_is_one_html_file(pictures: Evaluation, tmp_path: Path) -> None:
    few = replace(pictures, systems=(replace(pictures.systems[0], sections=pictures.systems[0].sections[1:2]),))
    write_report(few, tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page(few)
    assert len(list(tmp_path.iterdir())) == 1
    # A report may be replaced by a report, a page of the user's own not.
    write_report(few, tmp_path / "report.html")
    (tmp_path / "mine.html").write_text("<h1>mine</h1>")
    for there in (tmp_path / "mine.html", tmp_path / "folder.html"):
        there.name.startswith("mine") or there.mkdir()
        with pytest.raises(UsageError, match=r"give another name, or --force to replace it|is a folder"):
            check_report(there)
    assert (tmp_path / "mine.html").read_text() == "<h1>mine</h1>"
    write_report(few, tmp_path / "mine.html", force=True)
    with pytest.raises(UsageError, match=r"report\.pdf: an evaluation report cannot be \.pdf; .* in \.html or \.htm$"):
        write_report(pictures, tmp_path / "report.pdf")
    with pytest.raises(UsageError, match="there is no folder"):
        check_report(tmp_path / "nowhere" / "report.html")


# -- charts --------------------------------------------------------------------------------------------------------


def drawn(svg: str, kind: str) -> list[np.ndarray]:
    """The points of each path of a kind."""
    paths = re.findall(rf'<path class="{kind}"[^>]* d="M([^"]+)"', svg)
    return [np.array([point.split() for point in path.split("L")], dtype=float) for path in paths]


def detail(seed: int = 0, count: int = 300) -> PairDetail:
    rng = np.random.default_rng(seed)
    same = rng.random(count) < 0.4
    scores = np.clip(0.5 * same + 0.3 * rng.normal(size=count), -1, 1).astype(np.float32)
    return PairDetail(rng.integers(0, 9, size=(count, 2)), scores, same, Threshold(0.25, "as given"))


def test_the_roc_is_that_of_the_scores() -> None:
    pairs = detail()
    (path,) = drawn(roc([("ours", pairs)]), "curve")
    far = 10 ** ((path[:, 0] - LEFT) / (WIDTH - LEFT - RIGHT) * 3 - 3)
    tar = (HEIGHT - BOTTOM - path[:, 1]) / (HEIGHT - TOP - BOTTOM)
    found = curve(pairs.scores, pairs.same)
    for place in range(0, 240, 13):
        # The place is rounded to a tenth of a pixel, so the FAR is known to half a per cent.
        low, high = (float(found.tar_at_far(min(1.0, far[place] * factor))) for factor in (0.993, 1.007))
        assert low - 0.001 <= tar[place] <= high + 0.001


def test_open_set_charts_are_those_of_the_results() -> None:
    share = np.linspace(0.3, 0.9, len(GRID))
    bins = Reliability(np.array([0.1, 0.6]), np.array([0.2, 0.5]), np.array([0.5, 0.5]))
    last = OpenSet(5, 4, {}, share, bins)
    detail = OpenSetDetail((OpenSet(1, 4, {}, share / 2, None), last))
    text = open_set(detail, [("mine", detail), ("raw", OpenSetDetail((replace(last, curve=share / 3),)))])
    plane = Plane((1e-3, 1.0), (0.0, 1.0), log_x=True)
    # The best setting of both systems, then both settings of the encoder.
    for number, times in ((share, 2), (share / 3, 1), (share / 2, 1)):
        assert text.count(plane.path(GRID, number)) == times
    square = Plane((0.0, 1.0), (0.0, 1.0))
    for x, y in ((0.1, 0.2), (0.6, 0.5)):
        assert f'cx="{float(square.across(x)):.1f}" cy="{float(square.down(y)):.1f}"' in text
    assert "expected calibration error 0.100" in text
    assert "Reliability" not in open_set(replace(detail, results=detail.results[:1]), [("mine", detail)])


def test_the_histogram_is_that_of_the_scores() -> None:
    pairs = detail(1)
    svg = histogram(pairs)
    different, same = drawn(svg, "area")
    for path, kind in ((same, pairs.same), (different, ~pairs.same)):
        heights = (HEIGHT - BOTTOM - path[1:-1:2, 1]) / (HEIGHT - BOTTOM - TOP)
        edges = np.linspace(pairs.scores.min(), pairs.scores.max(), 51)
        counts = np.histogram(pairs.scores[kind], edges)[0]
        np.testing.assert_allclose(heights / heights.max(), counts / counts.max(), atol=0.01)
    assert "Dashed: the threshold 0.250, as given." in svg
    assert 'class="mark"' not in histogram(replace(pairs, threshold=None))
    constant = PairDetail(pairs.pairs, np.full(300, 0.5, dtype=np.float32), pairs.same, None)
    assert len(drawn(histogram(constant), "area")) == 2


def test_grades_are_dots_where_the_pairs_lie() -> None:
    graded = GradedDetail(
        np.zeros((3, 2), dtype=np.int64), np.array([0, 0.5, 1], dtype=np.float32), np.array([0.0, 1, 4])
    )
    dots = np.array(re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', grades(graded, 0)), dtype=float)
    dots = dots[np.argsort(dots[:, 0])]
    steps = np.diff(dots, axis=0)
    assert steps[1, 0] / steps[0, 0] == pytest.approx(3, abs=0.02)
    assert steps[0, 1] == pytest.approx(steps[1, 1], abs=0.2) and (steps[:, 1] < 0).all()
    assert "4,000 of 5,000 pairs are shown" in grades(
        GradedDetail(np.zeros((5000, 2), dtype=np.int64), np.ones(5000, dtype=np.float32), np.ones(5000)), 0
    )


def test_shades_are_shares_of_the_row() -> None:
    svg = heatmap(np.array([[3, 1], [0, 0]]), ["a", "a very long name of a class"])
    shades = [float(shade) for shade in re.findall(r"fill-opacity:([\d.]+)", svg)]
    assert shades == [0.76, 0.28, 0.04, 0.04]
    assert "a taken for a very long name of a class: 1 (25%)" in svg and "a very l…f a class" in svg


def test_intervals_are_on_one_scale() -> None:
    svg = interval([Figure(0.5, 0.25, 0.75), None, Figure(1, 1, 1)], 0.0)
    assert re.findall(r'stroke-width:2" d="M([\d.]+) [\d.]+H([\d.]+)"', svg) == [("47.0", "133.0"), ("176.0", "176.0")]
    assert re.findall(r'cx="([\d.]+)"', svg) == ["90.0", "176.0"]
    assert re.findall(r'cx="([\d.]+)"', interval([Figure(0, -0.5, 0.5)], -1.0)) == ["90.0"]


@settings(max_examples=60, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.integers(2, 12))
def test_ticks_are_round_few_and_inside(low: float, span: float, most: int) -> None:
    found = ticks(low, low + span, most)
    assert len(found) <= most
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in found)
    if most >= 5:
        assert len(found) >= 2
    steps = np.diff(found)
    assert np.allclose(steps, steps[:1], rtol=1e-6)


def test_a_logarithmic_plane_is_even_in_powers() -> None:
    plane = Plane((0.001, 1.0), (0.0, 2.0), log_x=True)
    places = plane.across(np.array([0.001, 0.01, 0.1, 1.0]))
    np.testing.assert_allclose(np.diff(places), (WIDTH - LEFT - RIGHT) / 3)
    assert plane.down(2.0) == TOP and plane.down(0.0) == HEIGHT - BOTTOM


def test_texts_on_the_map_do_not_cover_each_other() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(300, 5)).astype(np.float32)
    gallery = Gallery(tuple(f"a text of number {number}" for number in range(300)), "text", None, ())
    svg = embedding_map(vectors, gallery, 0)
    found = re.findall(r'<text class="snippet" x="(\d+)" y="(\d+)" text-anchor="(\w+)">([^<]+)</text>', svg)
    assert 20 < len(found) <= 60
    boxes = []
    for x, y, anchor, text in found:
        left = int(x) - (7.5 * len(text) if anchor == "end" else 0)
        assert left >= 0 and left + 7.5 * len(text) <= SIDE
        boxes.append((left, int(y) - 12, left + 7.5 * len(text), int(y) + 12))
    for number, one in enumerate(boxes):
        for other in boxes[:number]:
            # Places are rounded to whole pixels.
            apart = (one[0] + 1 >= other[2], other[0] + 1 >= one[2], one[1] + 1 >= other[3], other[1] + 1 >= one[3])
            assert any(apart)


def test_pictures_on_the_map_do_not_cover_each_other(pictures: Evaluation) -> None:
    svg = embedding_map(pictures.systems[0].vectors, Gallery.of(pictures), 0)
    places = re.findall(r'<image x="(\d+)" y="(\d+)" width="36"', svg)
    assert len(places) == len(set(places)) > 10
    assert all((int(x) - 4) % CELL == 0 == (int(y) - 4) % CELL and int(x) + 40 <= SIDE for x, y in places)
    height = float(re.findall(r'viewBox="0 0 \d+ ([\d.]+)"', svg)[0])
    assert max(int(y) for _, y in places) + 36 <= height
    assert svg.count("<circle") == 40
