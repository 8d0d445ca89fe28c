"""A small text encoder for tests: pairs of letters as tokens, a random vector for each, their mean."""

from __future__ import annotations

import json
from pathlib import Path
from string import ascii_lowercase, digits, punctuation

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from simsearch.encoders.folder import ONNX_NAME, TOKENIZER_NAME, WEIGHTS_NAME, EncoderConfig, Layer, write_config

TEXT_DIM = 32
MAX_TOKENS = 64
CHARACTERS = [*ascii_lowercase, *digits, *punctuation]
PAIRS = [first + second for first in ascii_lowercase for second in ascii_lowercase]
VOCABULARY = ["<pad>", "<unk>", *CHARACTERS, *PAIRS]


def make_text_encoder(folder: Path, seed: int = 0) -> Path:
    """An encoder folder whose vectors are the mean of random ones of the letters, pairs of letters first, in a text.

    Texts that share words score higher than others. Case does not matter.
    """
    folder.mkdir(parents=True)
    table = np.random.default_rng(seed).normal(size=(len(VOCABULARY), TEXT_DIM)).astype(np.float32)
    (folder / ONNX_NAME).write_bytes(bag_of_tokens(table))
    save_file({"table": table}, folder / WEIGHTS_NAME)
    (folder / TOKENIZER_NAME).write_bytes(pairs_tokenizer())
    config = EncoderConfig(
        name=folder.name,
        modality="text",
        dim=TEXT_DIM,
        max_tokens=MAX_TOKENS,
        vocabulary=len(VOCABULARY),
        model={"kind": "tiny", "seed": seed},
        layers=(Layer("table", "Embedding", (TEXT_DIM,), table.size),),
        training={"seed": seed},
        figures={},
    )
    write_config(folder, config.sealed(folder))
    return folder


def bag_of_tokens(table: NDArray[np.float32]) -> bytes:
    """An ONNX network from `ids` to the unit length sum of the rows of `table`; id 0 adds nothing."""
    rows = table.copy()
    rows[0] = 0.0
    nodes = [
        helper.make_node("Gather", ["table", "ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axes"], ["sum"], keepdims=0),
        helper.make_node("ReduceL2", ["sum", "axes"], ["length"], keepdims=1),
        helper.make_node("Div", ["sum", "length"], ["embeddings"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("ids", TensorProto.INT64, ["n", "length"])],
        [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, ["n", table.shape[1]])],
        [numpy_helper.from_array(rows, "table"), numpy_helper.from_array(np.array([1], dtype=np.int64), "axes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def pairs_tokenizer() -> bytes:
    """A tokenizer.json that cuts words into pairs of letters, other characters one by one."""
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "post_processor": None,
        "decoder": None,
        "added_tokens": [
            {
                "id": 0,
                "content": "<pad>",
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            },
        ],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": "<unk>",
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(VOCABULARY)},
            "merges": [[pair[0], pair[1]] for pair in PAIRS],
        },
    }
    return json.dumps(document).encode()
