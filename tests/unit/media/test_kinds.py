"""Whether a folder is one of pictures or of texts, whatever lies beside them."""

from __future__ import annotations

import pytest

from simsearch.media.folders.kinds import leading_kind, texts_that_count

PICTURES = [f"/p/{number}.jpg" for number in range(4)]


@pytest.mark.parametrize(
    "text",
    ["/p/README.md", "/p/license.txt", "/p/labels.csv", "/p/metadata.jsonl", "/p/3.txt", "/p/3.jpg.txt", "/p/3.csv",
     "/q/labels/3.txt", "/p/any.json"],
)  # fmt: skip
def test_texts_that_describe_pictures_do_not_count_unless_they_are_given(text: str) -> None:
    assert texts_that_count(PICTURES, [text]) == []
    assert texts_that_count(PICTURES, [text], {text}) == [text]
    assert texts_that_count([], [text]) == [text]


@pytest.mark.parametrize("text", ["/p/diary.txt", "/q/3.txt", "/p/labels/diary.txt", "/p/read me.md"])
def test_other_texts_count(text: str) -> None:
    assert texts_that_count(PICTURES, [text]) == [text]


def test_three_quarters_decide() -> None:
    counts = [(0, 0), (3, 1), (1_000, 1), (2, 1), (1, 1), (1, 2), (1, 3), (0, 1)]
    kinds = [leading_kind(*each) for each in counts]
    assert kinds == ["image", "image", "image", None, None, None, "text", "text"]
