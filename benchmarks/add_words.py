"""Adds a text tower, words.onnx and words-tokenizer.json, to an image encoder, with its calibration curve.

python benchmarks/add_words.py TOWER simsearch/encoders/bundled/photo --curve curve.json
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import replace
from pathlib import Path

from tokenizers import Tokenizer

from simsearch.encoders.folder import WORDS_NAME, WORDS_TOKENIZER_NAME, WordsConfig, read_config, write_config
from simsearch.evaluation.statistics.probability import SameCurve

MAX_TOKENS = 64
UNKNOWN = "<unknown>"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tower", type=Path, help="a folder with both files")
    parser.add_argument("encoder", type=Path, help="the folder of the image encoder")
    parser.add_argument("--curve", type=Path, help="the calibration curve of words with images, as JSON")
    options = parser.parse_args()
    config = read_config(options.encoder)
    for name in (WORDS_NAME, WORDS_TOKENIZER_NAME):
        shutil.copyfile(options.tower / name, options.encoder / name)
    tokenizer = Tokenizer.from_file(str(options.encoder / WORDS_TOKENIZER_NAME))
    words = WordsConfig(MAX_TOKENS, tokenizer.get_vocab_size(), unknown=tokenizer.token_to_id(UNKNOWN))
    curves = dict(config.curves)
    if options.curve is not None:
        document = json.loads(options.curve.read_text(encoding="utf-8"))
        curves["words"] = SameCurve.of_document(document).document()
    write_config(options.encoder, replace(config, words=words, curves=curves).sealed(options.encoder))


if __name__ == "__main__":
    main()
