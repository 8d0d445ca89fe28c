"""simsearch info, check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, say, say_json, table, tell
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from simsearch.collection.upkeep import Info
    from simsearch.encoders.folder import EncoderConfig
    from simsearch.types import JSONValue

MOST_TOLD = 8
"""A longer list is counted."""


@click.command("info")
@click.argument("encoder", metavar="[ENCODER]", required=False)
@index_option
@json_option
def info_command(encoder: str | None, index: str | None, as_json: bool) -> int:
    """Describe a collection, or an encoder: the name of one that ships, a folder, or a model of the hub."""
    if encoder is None:
        from simsearch.collection.entry import open_one

        with open_one(index) as collection:
            info = collection.info()
        if as_json:
            say_json(asdict(info))
        else:
            _print_collection(info)
        return 0
    from simsearch.encoders import is_pretrained
    from simsearch.encoders.cached import cached_folder
    from simsearch.encoders.folder import described, encoder_folder, is_encoder, read_config

    cached = None if is_encoder(encoder) else cached_folder(encoder)
    if cached is None and is_pretrained(encoder):
        return _say_pretrained(encoder, as_json=as_json)
    config = read_config(cached or encoder_folder(encoder))
    if as_json:
        say_json(described(config))
    else:
        _print_encoder(config)
    return 0


def _print_collection(info: Info) -> None:
    rows: list[tuple[str, object]] = [
        ("collection", info.folder),
        ("items", f"{info.items:,} with {info.contents:,} different contents"),
        ("encoder", f"{info.encoder or 'none, own vectors'} {info.fingerprint} ({info.dim} numbers an item)"),
        ("on disk", f"{info.bytes_on_disk / 1e6:,.1f} MB"),
        *[("fed from", root + _read_by(info.readings.get(root, {}))) for root in info.roots],
        *[("enrolled", f"{label}: {counted(count, 'example')}") for label, count in info.labels.items()],
    ]
    table(rows)


def _read_by(reading: Mapping[str, str]) -> str:
    """How files are read, as options say it."""
    options = {
        "by": "--by",
        "text": "--text-column",
        "id": "--id-column",
        "label": "--label-column",
        "encoding": "--encoding",
    }
    return "".join(f"  {options[name]} {value}" for name, value in reading.items())


def _print_encoder(config: EncoderConfig) -> None:
    rows: list[tuple[str, object]] = [
        ("encoder", f"{config.name} {config.fingerprint}"),
        ("takes", f"{config.modality}, {_input(config)}"),
        ("gives", f"{config.dim} numbers, normalized"),
        ("parameters", f"{config.parameters:,}"),
        *[("training: " + key, _told(value)) for key, value in config.training.items() if key != "history"],
        *[("reached: " + key, _rounded(value)) for key, value in config.figures.items()],
    ]
    table(rows)
    say("")
    layers = [(layer.name, layer.kind, "x".join(map(str, layer.shape)), layer.parameters) for layer in config.layers]
    table([("layer", "kind", "output", "parameters"), *layers], right=(3,))
    for compared in config.curves:
        _print_curve(compared, config.curves[compared])


def _print_curve(compared: str, document: JSONValue) -> None:
    """What scores mean where as many pairs are the same as are not: a few of them, evenly spread."""
    from simsearch.evaluation.probability import SameCurve

    try:
        curve = SameCurve.of_document(document)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise EncoderError(
            f"the curve of {compared} in encoder.json is none ({error}): copy the folder again"
        ) from error
    rows = list(zip(curve.scores, curve.p_same, curve.far, curve.tar, strict=True))[:: -max(1, len(curve.scores) // 9)]
    say("")
    say(
        f"scores of {compared}, measured on {curve.source} ({counted(curve.same_pairs, 'same pair')}, "
        f"{counted(curve.different_pairs, 'different one')})"
    )
    table(
        [("score", "P(same)", "false accepts", "true accepts"), *[[f"{value:.3f}" for value in row] for row in rows]],
        right=(0, 1, 2, 3),
    )


def _say_pretrained(name: str, *, as_json: bool) -> int:
    """What is known of a model in the hub's format before it is converted."""
    from simsearch.encoders.pretrained_hub import find_pretrained

    found = find_pretrained(name)
    takes = "image, and words that find images" if found.has_words else found.modality
    if as_json:
        say_json(
            {
                "name": found.name,
                "fingerprint": found.fingerprint,
                "modality": found.modality,
                "words": found.has_words,
                "folder": str(found.path),
            }
        )
    else:
        table(
            [
                ("model", f"{found.name} {found.fingerprint}"),
                ("takes", takes),
                ("folder", found.path),
                ("state", "not converted yet; that is done when it is first used, or by simsearch convert"),
            ]
        )
    return 0


def _input(config: EncoderConfig) -> str:
    if config.modality == "text":
        return f"the first {config.max_tokens:,} tokens, {config.vocabulary:,} different ones"
    colours = "grey" if config.channels == 1 else "colour"
    words = "; words find its pictures" if config.words else ""
    return f"{config.width}x{config.height} {colours}, fitted by {config.fit}{words}"


def _told(value: object) -> object:
    """What a line says of a training: of long lists their beginning."""
    if isinstance(value, dict):
        return {name: _told(inner) for name, inner in value.items()}
    if isinstance(value, list) and len(value) > MOST_TOLD:
        return f"{len(value):,}, the first are {', '.join(map(str, value[:3]))}"
    return value


def _rounded(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


@click.command("check")
@index_option
@click.option("--repair", is_flag=True, help="Make a damaged index file anew from the database.")
@json_option
@quiet_option
def check_command(index: str | None, repair: bool, as_json: bool, quiet: bool) -> int:
    """Look for damage in a collection, reading all of it. Exits with 1 when there is any."""
    from simsearch.collection.entry import nothing_yet, open_one

    if index is None and (remark := nothing_yet()):
        say(remark)
        return 0
    with open_one(index) as collection:
        report = collection.check(repair=repair)
        folder = str(collection.folder)
    if as_json:
        say_json({"collection": folder, "clean": report.clean, **asdict(report)})
        return 0 if report.clean else 1
    for problem in (*report.store_problems, *report.index_problems):
        tell(f"damaged: {problem}")
    for problem in report.repaired:
        tell(f"repaired: {problem}")
    if report.clean and not quiet:
        say(f"{folder} is clean: {counted(report.items, 'item')}, {counted(report.contents, 'content')}")
    if report.index_problems and not repair:
        tell("The database has all vectors: simsearch check --repair makes the index file anew.")
    if report.store_problems:
        tell("The database itself is damaged: restore it from a copy, or index the files into a new collection.")
    return 0 if report.clean else 1
