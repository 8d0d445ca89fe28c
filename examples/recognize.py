"""One-shot recognition of handwritten characters that the encoder was not trained on."""

from __future__ import annotations

import tempfile
from pathlib import Path

import simsearch

ALPHABET = Path(__file__).parent / "samples" / "omniglot" / "Japanese_(katakana)"


def main() -> None:
    drawings = {folder.name: sorted(folder.glob("*.png")) for folder in sorted(ALPHABET.iterdir())}
    with (
        tempfile.TemporaryDirectory() as folder,
        simsearch.Collection.create(Path(folder) / "characters", encoder="glyph") as collection,
    ):
        for name, (first, *_) in drawings.items():
            collection.enroll(name, [first])
        asked = [(name, drawing) for name, (_, *others) in drawings.items() for drawing in others]
        answers = collection.recognize_many([drawing for _, drawing in asked])
    right = sum(answer.label == name for (name, _), answer in zip(asked, answers, strict=True))
    print(
        f"{ALPHABET.name}: {right} of {len(asked)} drawings recognized from one example of {len(drawings)} characters"
    )
    print(f"By chance it would be about {len(asked) / len(drawings):.0f}.")


if __name__ == "__main__":
    main()
