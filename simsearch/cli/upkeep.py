"""simsearch info, check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from simsearch.cli.options import index_option, json_option, quiet_option
from simsearch.cli.output import counted, print_json, print_line, print_status, print_table
from simsearch.errors import EncoderError

if TYPE_CHECKING:
    from simsearch.collection.upkeep import CheckReport, Info
    from simsearch.encoders.folder import EncoderConfig
    from simsearch.types import JSONValue
    from simsearch.vectors.audit import Audit

SHOWN_FARS = (0.0, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Of a calibration curve, the point with the largest TAR up to each of these FARs is printed."""
MAX_LISTED = 8
"""Of a longer list the length and the first elements are printed."""


@click.command("info")
@click.argument("encoder", metavar="[ENCODER]", required=False)
@index_option
@json_option
def info_command(encoder: str | None, index: str | None, as_json: bool) -> int:
    """Describe a collection or an encoder.

    ENCODER is the name of a bundled one, a folder, or a model of the hub.
    """
    if encoder is None:
        from simsearch.collection.entry import open_one

        with open_one(index) as collection:
            info = collection.info()
        if as_json:
            print_json(asdict(info))
        else:
            _print_collection(info)
        return 0
    from simsearch.encoders import is_pretrained
    from simsearch.encoders.cached import cached_folder
    from simsearch.encoders.folder import described, encoder_folder, is_encoder, read_config

    cached = None if is_encoder(encoder) else cached_folder(encoder)
    if cached is None and is_pretrained(encoder):
        return _print_pretrained(encoder, as_json=as_json)
    config = read_config(cached or encoder_folder(encoder))
    if as_json:
        print_json(described(config))
    else:
        _print_encoder(config)
    return 0


def _print_collection(info: Info) -> None:
    rows: list[tuple[str, object]] = [
        ("collection", info.folder),
        ("items", f"{info.items:,} with {info.contents:,} distinct contents"),
        *([("not readable", f"{counted(info.problems, 'file')} when last indexed")] if info.problems else []),
        ("encoder", f"{info.encoder or 'none, own vectors'} {info.fingerprint} ({info.dim} dimensions)"),
        *_index_rows(info),
        ("on disk", f"{info.bytes_on_disk / 1e6:,.1f} MB"),
        *[("kept beside", f"{name}, {size / 1e6:,.1f} MB; see simsearch reindex") for name, size in info.kept.items()],
        *[("source", root + _read_by(info.readings.get(root, {}))) for root in info.roots],
        *[("enrolled", f"{label}: {counted(count, 'example')}") for label, count in info.labels.items()],
    ]
    print_table(rows)


def _index_rows(info: Info) -> list[tuple[str, object]]:
    index = info.index
    kind = "compares with every vector"
    if index.kind == "lists":
        kind = (
            f"reads {index.probes:,} of {index.lists:,} lists of {index.code} codes, "
            f"scores {index.factor} candidates for each match"
        )
    rows: list[tuple[str, object]] = [("index", f"{kind}: {index.reason}")]
    if index.beside:
        rows.append(("beside it", f"{counted(index.beside, 'newer vector')}, compared with each"))
    if index.recall is not None:
        rows.append(("recall", _recall(index.recall, index.target)))
    if index.memory is not None:
        rows.append(("memory", f"{index.memory / 1e6:,.0f} MB at most"))
    return rows


def _read_by(reading: Mapping[str, str]) -> str:
    """How files are read, written as options of the command."""
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
        ("input", f"{config.modality}, {_input(config)}"),
        ("embedding", f"{config.dim} dimensions, normalized"),
        ("parameters", f"{config.parameters:,}"),
        *[("training: " + key, _abridged(value)) for key, value in config.training.items() if key != "history"],
        *[("figure: " + key, _rounded(value)) for key, value in config.figures.items()],
    ]
    print_table(rows)
    print_line("")
    layers = [(layer.name, layer.kind, "x".join(map(str, layer.shape)), layer.parameters) for layer in config.layers]
    print_table([("layer", "kind", "output", "parameters"), *layers], right=(3,))
    for compared in config.curves:
        _print_curve(compared, config.curves[compared])
    if not config.curves:
        print_line("")
        print_line("no calibration: simsearch evaluate measures FAR and TAR by score on labeled data of yours")


def _print_curve(compared: str, document: JSONValue) -> None:
    """Prints a few operating points of a calibration curve: P(same) at prior one half, FAR and TAR by score."""
    from simsearch.evaluation.results import shown_threshold
    from simsearch.evaluation.statistics.probability import SameCurve

    try:
        curve = SameCurve.of_document(document)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError) as error:
        raise EncoderError(
            f"the curve of {compared} in encoder.json is damaged ({error}): copy the folder again"
        ) from error
    print_line("")
    print_line(
        f"calibration for {compared}, measured on {curve.source} ({counted(curve.same_pairs, 'genuine pair')}, "
        f"{counted(curve.different_pairs, 'impostor pair')})"
    )
    points = [
        (shown_threshold(score), f"{p_same:.3f}", f"{far:.4f}", f"{tar:.3f}")
        for score, p_same, far, tar in curve.operating_points(SHOWN_FARS)
    ]
    print_table([("from score", "P(same)", "FAR", "TAR"), *points], right=(0, 1, 2, 3))


def _print_pretrained(name: str, *, as_json: bool) -> int:
    """Prints what is known of a model in the hub's format before it is converted."""
    from simsearch.encoders.pretrained_hub import find_pretrained

    found = find_pretrained(name)
    takes = "image, and words that find images" if found.has_words else found.modality
    if as_json:
        print_json(
            {
                "name": found.name,
                "fingerprint": found.fingerprint,
                "modality": found.modality,
                "words": found.has_words,
                "folder": str(found.path),
            }
        )
    else:
        print_table(
            [
                ("model", f"{found.name} {found.fingerprint}"),
                ("input", takes),
                ("folder", found.path),
                ("state", "not converted yet; it is converted when it is first used, or by simsearch convert"),
            ]
        )
    return 0


def _input(config: EncoderConfig) -> str:
    if config.modality == "text":
        return f"the first {config.max_tokens:,} tokens, vocabulary of {config.vocabulary:,}"
    colors = "grayscale" if config.channels == 1 else "color"
    words = "; also words, which find images" if config.words else ""
    return f"{config.width}x{config.height} {colors}, fitted by {config.fit}{words}"


def _abridged(value: object) -> object:
    """The value with long lists replaced by their length and first elements."""
    if isinstance(value, dict):
        return {name: _abridged(inner) for name, inner in value.items()}
    if isinstance(value, list) and len(value) > MAX_LISTED:
        return f"{len(value):,}, the first are {', '.join(map(str, value[:3]))}"
    return value


def _rounded(value: object) -> object:
    return f"{value:.4g}" if isinstance(value, float) else value


@click.command("check")
@index_option
@click.option("--repair", is_flag=True, help="Rebuild a damaged index file from the database.")
@click.option("--recall", is_flag=True, help="Measure also how many of the nearest are found, against exact search.")
@click.option("--forgotten", metavar="LABEL", help="Look for what is left of a label that was forgotten.")
@json_option
@quiet_option
def check_command(
    index: str | None, repair: bool, recall: bool, forgotten: str | None, as_json: bool, quiet: bool
) -> int:
    """Check all of a collection for damage.

    The exit code is 1 if there is any, if the index misses its recall, or if --forgotten finds something.
    """
    from simsearch.collection.entry import nothing_yet, open_one

    if index is None and (remark := nothing_yet()):
        if as_json:
            print_json({"collection": None, "clean": True, "remark": remark})
        else:
            print_line(remark)
        return 0
    if forgotten is not None:
        return _check_forgotten(index, forgotten, as_json=as_json)
    with open_one(index) as collection:
        report = collection.check(repair=repair, recall=recall)
        folder, target = str(collection.folder), collection.info().index.target
    missed = report.recall is not None and report.recall.high < target
    if as_json:
        print_json({"collection": folder, "clean": report.clean, **asdict(report)})
    else:
        _print_check(report, folder, quiet=quiet)
        if report.recall is not None and not quiet:
            print_line(f"recall: {_recall(report.recall, target)}")
        if missed:
            print_status("The index misses its recall; it is tuned again by the next index, remove or compact.")
    return 0 if report.clean and not missed else 1


def _print_check(report: CheckReport, folder: str, *, quiet: bool) -> None:
    for problem in (*report.store_problems, *report.index_problems):
        print_status(f"damaged: {problem}")
    for problem in report.repaired:
        print_status(f"repaired: {problem}")
    if report.clean and not quiet:
        print_line(f"{folder} is clean: {counted(report.items, 'item')}, {counted(report.contents, 'content')}")
    if report.index_problems:
        print_status("The database holds all vectors: simsearch check --repair rebuilds the index file.")
    if report.store_problems:
        print_status(
            "The database itself is damaged: restore it from a copy, or index the files into a new collection."
        )


def _recall(audit: Audit, target: float) -> str:
    return (
        f"{audit.recall:.4f} of the {audit.k} nearest found (95 % interval {audit.low:.4f} to {audit.high:.4f}, "
        f"{counted(audit.queries, 'query', 'queries')}; wanted {target:g})"
    )


@click.command("compact")
@index_option
@json_option
@quiet_option
def compact_command(index: str | None, as_json: bool, quiet: bool) -> int:
    """Free the disk space of what was removed. Needs as much free space as the collection takes."""
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        report = collection.compact()
        folder, notes = str(collection.folder), collection.index_notes
    if as_json:
        print_json({"collection": folder, "before": report.before, "after": report.after, "notes": notes})
    elif not quiet:
        print_line(f"{folder}: {report.before:,} bytes before, {report.after:,} after")
        for note in notes:
            print_status(note)
    return 0


def _check_forgotten(index: str | None, label: str, *, as_json: bool) -> int:
    from simsearch.collection.entry import open_one

    with open_one(index) as collection:
        report = collection.forgotten(label)
    if as_json:
        print_json({"label": label, "clean": report.clean, "traces": list(report.traces), "items": report.items})
        return 0 if report.clean else 1
    for trace in report.traces:
        print_status(f"left of {label}: {trace}")
    if report.items:
        print_status(f"{counted(report.items, 'item')} with the word in path or label: no examples, they stay")
    if report.clean:
        print_line(f"nothing in this collection names {label} as an identity; backups and copies are not looked at")
    return 0 if report.clean else 1
