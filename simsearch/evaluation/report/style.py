"""The style sheet of a report, for light and dark mode, screens and print."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #57606a; --line: #d5dae0; --grid: #e6e9ed;
  --s0: #0067ac; --s1: #b35900; --s2: #007a5a; --s3: #a2487f; --s4: #3d444d; --s5: #7a6a00; --rest: #9aa3ad;
  --right: #007a5a; --wrong: #c0392b; --note: #fff6db; --note-line: #e3c768;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --panel: #1d2126; --ink: #e8ebee; --muted: #a3adb8; --line: #363c44; --grid: #2a3037;
    --s0: #62b5f5; --s1: #f0a04b; --s2: #4fd0a5; --s3: #e39ac4; --s4: #c9d1d9; --s5: #d8c75a; --rest: #6d7681;
    --right: #4fd0a5; --wrong: #ff8a7a; --note: #2f2a17; --note-line: #6f5f25;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif;
}
main, header, footer { max-width: 68rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 2rem; }
footer { padding-bottom: 3rem; color: var(--muted); font-size: .9rem; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .25rem; overflow-wrap: anywhere; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .25rem; padding-top: .75rem; border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 .25rem; }
p { margin: .25rem 0 .75rem; max-width: 46rem; }
.facts, .setting, figcaption, caption { color: var(--muted); font-size: .9rem; }
code { font-size: .9em; }
.note {
  background: var(--note); border-left: 4px solid var(--note-line); padding: .6rem .9rem; margin: .75rem 0;
  border-radius: 0 6px 6px 0;
}
.skip { position: absolute; left: -60rem; }
.skip:focus { left: 1rem; top: 1rem; background: var(--page); padding: .5rem; }
nav ul { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .75rem 0 0; }
a { color: var(--s0); }
.cards {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; margin: 1.25rem 0;
}
.card { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .75rem .9rem; }
.card b { display: block; font-size: 1.7rem; line-height: 1.2; font-variant-numeric: tabular-nums; }
.card span { color: var(--muted); font-size: .85rem; display: block; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0 1rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .25rem; }
th, td {
  text-align: left; padding: .32rem .9rem .32rem 0; border-bottom: 1px solid var(--grid); vertical-align: middle;
}
thead th { border-bottom: 1px solid var(--line); font-weight: 600; }
tbody th { font-weight: 400; white-space: nowrap; }
td { white-space: nowrap; }
td small { color: var(--muted); font-size: .85em; }
.number { text-align: right; }
.pair {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 28rem), 1fr)); gap: 1rem; align-items: start;
}
figure { margin: .5rem 0; }
.chart { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .9rem; min-width: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.chart figcaption { margin-top: .5rem; }
svg text { fill: var(--muted); font: 12px system-ui, -apple-system, "Segoe UI", "Liberation Sans", sans-serif; }
svg .snippet { fill: var(--ink); font-size: 13px; paint-order: stroke; stroke: var(--panel); stroke-width: 4px; }
svg .name { font-size: 15px; }
svg .title { fill: var(--ink); }
svg .axis { stroke: var(--line); fill: none; }
svg .grid { stroke: var(--grid); fill: none; }
svg .curve { fill: none; stroke-width: 2; }
svg .chance { fill: none; stroke: var(--muted); stroke-dasharray: 2 4; }
svg .mark { stroke: var(--ink); stroke-width: 1.5; stroke-dasharray: 5 4; fill: none; }
svg .area { fill-opacity: .22; stroke-width: 1.8; }
.legend {
  list-style: none; padding: 0; margin: .5rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; font-size: .88rem;
}
.legend i {
  display: inline-block; width: .8rem; height: .8rem; border-radius: 3px; margin-right: .4rem; vertical-align: -1px;
}
.rows { display: grid; gap: .6rem; }
.row {
  display: flex; flex-wrap: wrap; gap: .5rem; align-items: flex-start; padding-bottom: .6rem;
  border-bottom: 1px solid var(--grid);
}
.tile { margin: 0; width: 6.75rem; font-size: .78rem; line-height: 1.3; }
.tile img, .tile .blank {
  display: block; width: 6.75rem; height: 6.75rem; object-fit: contain; background: #ffffff; border-radius: 6px;
  border: 3px solid var(--line);
}
.tile .blank { color: #57606a; padding: .4rem; overflow: hidden; }
.tile figcaption { font-size: inherit; overflow-wrap: anywhere; padding-top: .15rem; }
.tile.text { width: 17rem; }
.tile.text blockquote {
  margin: 0; padding: .45rem .6rem; border: 1px solid var(--line); border-left-width: 4px; border-radius: 4px;
  background: var(--panel); font-size: .88rem; overflow-wrap: anywhere;
}
.tile.right img, .tile.right blockquote { border-color: var(--right); }
.tile.wrong img, .tile.wrong blockquote { border-color: var(--wrong); border-style: dashed; }
.tile.query { margin-right: .75rem; }
.tile.query img, .tile.query blockquote { border-color: var(--ink); }
.tags { display: grid; grid-template-columns: repeat(auto-fill, minmax(14.5rem, 1fr)); gap: .6rem; }
.tags.three { grid-template-columns: repeat(auto-fill, minmax(min(100%, 23rem), 1fr)); }
.tags .row { border: 1px solid var(--grid); border-radius: 8px; padding: .6rem; flex-wrap: nowrap; }
.tags.texts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 28rem), 1fr)); }
.texts .row, .texts .tile { flex-wrap: wrap; width: 100%; }
.bar { display: inline-block; height: .6rem; background: var(--s0); border-radius: 2px; vertical-align: middle; }
@media print { nav, .skip { display: none; } .chart, .row, tr { break-inside: avoid; } body { font-size: 12px; } }
"""
