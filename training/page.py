"""Write HTML: tables, figures and sections of one self-contained page."""

from collections.abc import Iterable, Sequence
from html import escape

STYLE = """
:root { color-scheme: light; }
body { margin: 0; background: #fff; color: #22262b;
  font: 15px/1.55 "Helvetica Neue", Helvetica, Arial, "Liberation Sans", sans-serif; }
main { max-width: 1240px; margin: 0 auto; padding: 44px 36px 90px; }
h1 { font-size: 29px; font-weight: 600; letter-spacing: -.01em; margin: 0 0 6px; }
h2 { font-size: 19px; font-weight: 600; margin: 52px 0 8px; padding-top: 14px;
  border-top: 1px solid #dfe3e7; }
h3 { font-size: 15px; font-weight: 600; margin: 26px 0 6px; }
p, li { max-width: 78ch; } p { margin: 6px 0 12px; }
.lead { color: #59626c; margin-bottom: 24px; }
.note { color: #59626c; font-size: 13px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 12px;
  margin: 18px 0 6px; }
.tile { border: 1px solid #dfe3e7; border-radius: 6px; padding: 12px 14px; }
.tile b { display: block; font-size: 23px; font-weight: 600; font-variant-numeric: tabular-nums; }
.tile span { color: #59626c; font-size: 12.5px; line-height: 1.35; display: block; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; margin: 6px 0 14px;
  font-variant-numeric: tabular-nums; }
th { text-align: right; font-weight: 600; color: #59626c; border-bottom: 1.5px solid #22262b;
  padding: 5px 8px; vertical-align: bottom; line-height: 1.25; }
td { text-align: right; padding: 4.5px 8px; border-bottom: 1px solid #eceff2; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td { line-height: 1.3; }
td.text { text-align: left; white-space: normal; max-width: 92ch; }
tr.total td { font-weight: 600; border-top: 1.5px solid #22262b; border-bottom: 0; }
small { color: #7b848e; font-size: 11px; }
.weak { color: #a8371f; }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(340px, 1fr)); gap: 20px 28px; }
figure { margin: 10px 0; } figure img { max-width: 100%; display: block; }
.figures img { width: 100%; }
figcaption { color: #59626c; font-size: 12.5px; max-width: 52ch; margin-top: 4px; }
@media print { h2 { break-after: avoid; } figure, table { break-inside: avoid; } }
"""


def write_page(title: str, lead: str, sections: Iterable[str]) -> str:
    """Join sections into one page that needs nothing but itself."""
    body = "\n".join(sections)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n<body><main>"
        f'<h1>{escape(title)}</h1><p class="lead">{escape(lead)}</p>\n{body}\n</main></body></html>\n'
    )


def section(title: str, *parts: str) -> str:
    """Give parts a heading; nothing at all where every part is empty."""
    inside = "\n".join(part for part in parts if part)
    return f"<h2>{escape(title)}</h2>\n{inside}" if inside else ""


def paragraph(text: str, kind: str = "") -> str:
    """Write a paragraph of plain text."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def bullets(lines: Iterable[str]) -> str:
    """Write a list of sentences."""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def tiles(facts: Sequence[tuple[str, str]]) -> str:
    """Write large figures, each with what it is."""
    cells = "".join(
        f'<div class="tile"><b>{escape(figure)}</b><span>{escape(name)}</span></div>'
        for figure, name in facts
    )
    return f'<div class="tiles">{cells}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], *, totals: int = 0) -> str:
    """Write a table; cells are HTML already, the last `totals` rows are set apart."""
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    if totals:
        lines[-totals] = lines[-totals].replace("<tr>", '<tr class="total">', 1)
    heads = "".join(f"<th>{escape(name)}</th>" for name in head)
    return (
        f'<div class="wide"><table><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(lines)}</tbody></table></div>"
    )


def facts_table(rows: Iterable[tuple[str, str]]) -> str:
    """Write a table of names and plain text."""
    lines = "".join(
        f'<tr><td>{escape(name)}</td><td class="text">{escape(text)}</td></tr>'
        for name, text in rows
    )
    return f"<table><tbody>{lines}</tbody></table>"


def picture(uri: str, alt: str, caption: str = "") -> str:
    """Write a figure whose image stands in the page."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    return f'<figure><img src="{uri}" alt="{escape(alt)}">{below}</figure>'


def side_by_side(*figures: str) -> str:
    """Write figures beside one another, as many as fit."""
    return f'<div class="figures">{"".join(figures)}</div>'
