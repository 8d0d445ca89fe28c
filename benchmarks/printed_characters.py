"""Characters of fonts that look like handwriting, as drawings to learn from beside those of Omniglot.

Makes the drawings, and tables of both for `simsearch train --split given`.

The fonts are web fonts, each cut into files of some hundred characters, as npm packages have them:

    npm install @fontsource/{liu-jian-mao-cao,long-cang,ma-shan-zheng,zhi-mang-xing} \\
      @fontsource/{yomogi,yusei-magic,zen-kurenaido,kiwi-maru,noto-sans-jp}
    python benchmarks/printed_characters.py node_modules/@fontsource omniglot-background characters

Needs scikit-image, which thins what is printed to lines of one pixel.
"""

from __future__ import annotations

import argparse
import csv
import importlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation

FONTS = (
    "liu-jian-mao-cao", "long-cang", "ma-shan-zheng", "zhi-mang-xing", "yomogi", "yusei-magic", "zen-kurenaido",
    "kiwi-maru", "noto-sans-jp",
)  # fmt: skip
"""All under the SIL Open Font License 1.1. The last one says how much ink a character takes."""
CHARACTERS = range(0x4E00, 0xA000)
LEFT_OUT = frozenset(
    "口工力夕八二卜千三才又七匕刀了一十乃人入八九丁丶冫丨丿冖彳个彡卩介勹厶儿卞寸凵少卜干土士才宁乏仁亻礻尹云久之也夂宀亠"
    "厂广尸女己已巳川小山井化大木水田日ヰ毛牟乇元于子上下王又几及"
)
"""Those that are also letters of a held-out alphabet, or nearly so."""
COUNT, GROUPS = 1_000, 20
SIZE, CANVAS, SIDE = 90, 140, 105
"""In pixels: of a character, of what it is set on, and of the drawing that is cut out of that."""
DARK = 110
TEST = ("Tifinagh", "Korean", "Grantha", "Japanese_(katakana)")
VALIDATION = ("Asomtavruli_(Georgian)", "Cyrillic", "Malay_(Jawi_-_Arabic)")
SAMPLES = Path(__file__).parents[1] / "examples" / "samples" / "omniglot"
VALIDATED = 28
Row = tuple[str, str, str, str]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fonts", type=Path, help="the folder of the packages")
    parser.add_argument("omniglot", type=Path, help="ALPHABET/CHARACTER/*.png")
    parser.add_argument("out", type=Path, help="a new folder for the drawings and the tables")
    options = parser.parse_args()
    options.out.mkdir(parents=True)
    files = [files_of(options.fonts / name) for name in FONTS]
    chosen = by_ink(sorted(set.intersection(*map(set, files))), files[-1])[:COUNT]
    printed = sorted(row for place, code in enumerate(chosen) for row in drawn(code, place, files, options.out))
    sides = {"held-out.csv": alphabets_held_out, "all.csv": samples_held_out(options.omniglot)}
    for name, side in sides.items():
        with (options.out / name).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(("path", "label", "group", "split"))
            writer.writerows([*of_omniglot(options.omniglot, options.out, side), *printed])
    print(f"{len(printed):,} drawings of {COUNT:,} printed characters, and the tables {' and '.join(sides)}")


def files_of(package: Path) -> dict[int, Path]:
    """The file of each character of a font."""
    found = {}
    for path in sorted((package / "files").glob("*-400-normal.woff")):
        found |= {code: path for code in TTFont(path, lazy=True).getBestCmap() if code in CHARACTERS}
    return found


def by_ink(codes: Sequence[int], files: Mapping[int, Path]) -> list[int]:
    """The characters that are not left out, those with the shortest lines first."""
    lengths = [(int(lines(code, files[code]).sum()), code) for code in codes if chr(code) not in LEFT_OUT]
    return [code for _, code in sorted(lengths)]


@cache
def font(path: Path) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, SIZE)


def lines(code: int, path: Path) -> NDArray[np.bool_]:
    """A character as lines of one pixel, in the middle of a canvas."""
    canvas = Image.new("L", (CANVAS, CANVAS), 0)
    middle = (CANVAS // 2, CANVAS // 2)
    ImageDraw.Draw(canvas).text(middle, chr(code), font=font(path), fill=255, anchor="mm")
    thin: NDArray[np.bool_] = importlib.import_module("skimage.morphology").skeletonize(np.array(canvas) > DARK)
    return thin


def drawn(code: int, place: int, files: Sequence[Mapping[int, Path]], out: Path) -> Iterator[Row]:
    """Draws a character in every font; its place among all says what it is called."""
    group, name = f"Hanzi_{place % GROUPS:02d}", f"character{place:04d}"
    folder = out / group / name
    folder.mkdir(parents=True)
    border = (CANVAS - SIDE) // 2
    for number, known in enumerate(files, start=1):
        pen = binary_dilation(lines(code, known[code]), np.ones((3, 3)))[border : border + SIDE, border : border + SIDE]
        path = folder / f"{place:04d}_{number:02d}.png"
        Image.fromarray(~pen).save(path)
        yield path.relative_to(out).as_posix(), f"{group}/{name}", group, "train"


def of_omniglot(folder: Path, out: Path, side: Callable[[str, str], str]) -> Iterator[Row]:
    for path in sorted(folder.glob("*/*/*.png")):
        alphabet, character = path.parts[-3:-1]
        where = Path(os.path.relpath(path, out)).as_posix()
        yield where, f"{alphabet}/{character}", alphabet, side(alphabet, character)


def alphabets_held_out(alphabet: str, _: str) -> str:
    return "test" if alphabet in TEST else "validation" if alphabet in VALIDATION else "train"


def samples_held_out(folder: Path) -> Callable[[str, str], str]:
    """For the weights that ship: all but the samples of the demo, and a few to validate with."""
    test = {path.relative_to(SAMPLES).as_posix() for path in SAMPLES.glob("*/*")}
    others = sorted({path.relative_to(folder).as_posix() for path in folder.glob("*/*")} - test)
    validation = set(np.random.default_rng(0).permutation(others)[:VALIDATED].tolist())

    def side(alphabet: str, character: str) -> str:
        name = f"{alphabet}/{character}"
        return "test" if name in test else "validation" if name in validation else "train"

    return side


if __name__ == "__main__":
    main()
