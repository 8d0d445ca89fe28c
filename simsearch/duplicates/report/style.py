"""The style sheet of the report of a plan, for light and dark mode, screens of any width, and print."""

from __future__ import annotations

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --panel: #f6f7f9; --ink: #1b1f24; --muted: #57606a; --line: #d5dae0;
  --keep: #00704f; --remove: #b02a1c; --leave: #7a5c00; --outline: #e0007a; --new: #d9f2e6; --gone: #fbdcd8;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171a; --panel: #1d2126; --ink: #e8ebee; --muted: #a3adb8; --line: #363c44;
    --keep: #4fd0a5; --remove: #ff8a7a; --leave: #e3c768; --outline: #ff6bb5; --new: #17402f; --gone: #4d241f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", "Liberation Sans", "DejaVu Sans", sans-serif;
}
main, header, footer { max-width: 76rem; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; }
footer { padding: 1rem 1rem 3rem; color: var(--muted); font-size: .9rem; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem; }
h2 { font-size: 1.15rem; margin: 0 0 .5rem; }
p { margin: .25rem 0 .5rem; }
a { color: inherit; }
.muted { color: var(--muted); font-size: .9rem; }
.totals { display: flex; flex-wrap: wrap; gap: .5rem; padding: 0; margin: .75rem 0; list-style: none; }
.totals li { background: var(--panel); border: 1px solid var(--line); border-radius: 8px; padding: .4rem .8rem; }
.totals b { font-size: 1.3rem; font-variant-numeric: tabular-nums; }
nav { display: flex; flex-wrap: wrap; gap: .25rem .75rem; margin: .75rem 0; }
nav [aria-current] { font-weight: 700; text-decoration: none; }
.group { border: 1px solid var(--line); border-radius: 10px; padding: .9rem; margin: 1rem 0; background: var(--panel); }
.note { border-left: 4px solid var(--leave); padding: .1rem .7rem; margin: .5rem 0; }
.beside { display: grid; grid-template-columns: minmax(0, 17rem) minmax(0, 1fr); gap: 1rem; align-items: start; }
.others { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 17rem), 1fr)); gap: 1rem; }
article {
  background: var(--page); border: 1px solid var(--line); border-top: 4px solid var(--line); border-radius: 8px;
  padding: .6rem; min-width: 0; overflow-wrap: anywhere; font-size: .9rem;
}
article.keep { border-top-color: var(--keep); position: sticky; top: .5rem; }
article.remove { border-top-color: var(--remove); }
article.leave { border-top-color: var(--leave); border-top-style: dashed; }
.action { font-weight: 700; }
.keep > .action { color: var(--keep); }
.remove > .action { color: var(--remove); }
.leave > .action { color: var(--leave); }
.pictures { display: flex; gap: .5rem; align-items: flex-start; margin: .4rem 0; }
.pictures figure { margin: 0; flex: 1 1 0; min-width: 0; }
.pictures figcaption { color: var(--muted); font-size: .8rem; }
figure { margin: .4rem 0; }
img { display: block; width: auto; height: auto; max-width: 100%; max-height: 18rem; margin: 0 auto; }
.pictures svg { display: block; width: 100%; height: auto; max-height: 18rem; }
.outline { fill: none; stroke: var(--outline); stroke-width: 3; vector-effect: non-scaling-stroke; }
.corner { fill: var(--outline); }
.unread { color: var(--muted); border: 1px dashed var(--line); border-radius: 4px; padding: 1rem; }
.defs { position: absolute; width: 0; height: 0; }
blockquote {
  margin: .4rem 0; padding: .5rem .7rem; border-left: 4px solid var(--line); background: var(--panel);
  white-space: pre-wrap;
}
ins { background: var(--new); text-decoration: underline; }
del { background: var(--gone); text-decoration: line-through; }
article ul { margin: .3rem 0; padding-left: 1.1rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; font-weight: 600; }
@media (max-width: 48rem) {
  .beside { grid-template-columns: minmax(0, 1fr); }
  article.keep { position: static; }
  .group { padding: .6rem; }
}
@media print { article, .group { break-inside: avoid; } article.keep { position: static; } nav { display: none; } }
"""
