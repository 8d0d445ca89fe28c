"""Synthetic records of products, in pairs that two shops could have written; they differ mostly in a code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = {
    "digital camera": (
        ["Canon", "Nikon", "Sony", "Olympus", "Fujifilm"],
        ["PowerShot", "Coolpix", "Cyber-shot", "Stylus", "FinePix"],
        [
            "12.1 megapixel",
            "5x optical zoom",
            "black",
            "silver",
            "red",
            "with 3 inch lcd",
            "image stabilization",
            "hd video",
        ],
    ),
    "lcd television": (
        ["Samsung", "LG", "Panasonic", "Toshiba", "Sharp"],
        ["Viera", "Regza", "Aquos", "Series 6", "Bravia"],
        ["42 inch", "32 inch", "1080p", "120hz", "black", "full hd", "widescreen", "with stand"],
    ),
    "laser printer": (
        ["HP", "Brother", "Epson", "Lexmark", "Xerox"],
        ["LaserJet", "Phaser", "WorkForce", "Pro", "Color"],
        ["duplex", "wireless", "monochrome", "network ready", "20 ppm", "all-in-one", "white", "with fax"],
    ),
    "washing machine": (
        ["Bosch", "Miele", "Whirlpool", "Electrolux", "Frigidaire"],
        ["Axxis", "Duet", "Affinity", "Classic", "Vision"],
        ["front loading", "white", "stainless steel", "3.5 cu ft", "energy star", "24 inch", "quiet", "steam"],
    ),
    "headphones": (
        ["Sennheiser", "Bose", "Philips", "JVC", "Koss"],
        ["SoundTrue", "Studio", "Portable", "Fidelio", "Air"],
        ["noise cancelling", "wireless", "black", "in-ear", "over-ear", "with microphone", "foldable", "white"],
    ),
    "network router": (
        ["Netgear", "Linksys", "D-Link", "Belkin", "TP-Link"],
        ["RangeMax", "Wireless-N", "Xtreme", "Play", "Archer"],
        ["4 port", "gigabit", "dual band", "300 mbps", "with usb", "802.11n", "vpn", "firewall"],
    ),
}
"""Brands, lines and traits of each kind of product."""
PATTERNS = ("LLLDDDD", "LLDDD", "LL-DDDD", "LDDDDL", "LLDDDDLL", "LLL-DDDL", "DDDDDL", "LL-DDDLL")


@dataclass(frozen=True, slots=True)
class Product:
    kind: str
    brand: str
    line: str
    code: str
    traits: tuple[str, ...]


def product_pairs(count: int, seed: int = 0, share: float = 0.15) -> list[tuple[str, str, int]]:
    """Pairs of records, `share` of them of one product; the others are of one brand and kind, half with a near code."""
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        product = _product(rng)
        same = bool(rng.random() < share)
        other = product if same else _sibling(product, rng)
        rows.append((_written(product, rng), _written(other, rng), int(same)))
    return rows


def _pick(options: list[str] | tuple[str, ...], rng: np.random.Generator) -> str:
    return options[rng.integers(len(options))]


def _product(rng: np.random.Generator) -> Product:
    kind = _pick(list(KINDS), rng)
    brands, lines, traits = KINDS[kind]
    return Product(kind, _pick(brands, rng), _pick(lines, rng), _code(rng), _traits(traits, rng))


def _traits(traits: list[str], rng: np.random.Generator) -> tuple[str, ...]:
    return tuple(traits[place] for place in rng.permutation(len(traits))[:4])


def _code(rng: np.random.Generator) -> str:
    return "".join(_sign(kind, rng) for kind in _pick(PATTERNS, rng))


def _sign(kind: str, rng: np.random.Generator) -> str:
    return {"L": chr(65 + rng.integers(26)), "D": str(rng.integers(10))}.get(kind, kind)


def _sibling(product: Product, rng: np.random.Generator) -> Product:
    """Another product of the brand: half of the time with a code that differs in one sign and the same traits."""
    if rng.random() < 0.5:
        places = [place for place, sign in enumerate(product.code) if sign != "-"]
        place = places[rng.integers(len(places))]
        sign = product.code[place]
        while sign == product.code[place]:
            sign = _sign("D" if sign.isdigit() else "L", rng)
        code, traits = product.code[:place] + sign + product.code[place + 1 :], product.traits
    else:
        code, traits = _code(rng), _traits(KINDS[product.kind][2], rng)
    return Product(product.kind, product.brand, product.line, code, traits)


def _written(product: Product, rng: np.random.Generator) -> str:
    """The record as one of many shops would write it: words left out, in another order, the code in other signs."""
    code = product.code
    style = rng.random()
    code = code.replace("-", "") if style < 0.3 else code.lower() if style < 0.5 else code
    traits = [trait for trait in product.traits if rng.random() < 0.6]
    parts = [product.brand, *([product.line] if rng.random() < 0.7 else []), code]
    kind = product.kind if rng.random() < 0.7 else product.kind.split()[-1]
    parts += [kind, *traits] if rng.random() < 0.6 else [*traits, kind]
    if rng.random() < 0.3:
        parts = [*parts[:1], *parts[2:], parts[1]]
    return " ".join(parts)
