"""A plain page of sections and figures, as one HTML file that opens offline."""

from __future__ import annotations

import base64
from collections.abc import Iterable
from html import escape
from string import Template

from undark.evaluate.report.page import asset

__all__ = ["figure", "section", "sheet"]

_PAGE = Template(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>undark: $title</title>
<style>
$style
figure { display: inline-block; margin: 0 1rem 1rem 0; }
figcaption { font-size: .8rem; color: var(--soft); overflow-wrap: anywhere; max-width: 290px; }
</style>
</head>
<body>
<header><p class="brand">undark</p><h1>$title</h1><p class="lead">$lead</p></header>
<main>
$sections
</main>
</body>
</html>
"""
)


def sheet(title: str, lead: str, sections: Iterable[str]) -> str:
    """The whole page; title and lead are escaped, empty sections left out."""
    return _PAGE.substitute(
        title=escape(title),
        lead=escape(lead),
        style=asset("report.css"),
        sections="\n".join(item for item in sections if item),
    )


def section(heading: str, content: str, advice: str = "") -> str:
    """A section of HTML with a heading and a line of advice; empty without content."""
    if not content:
        return ""
    note = f"<p>{escape(advice)}</p>" if advice else ""
    return f"<section><h2>{escape(heading)}</h2>{note}{content}</section>"


def figure(images: Iterable[bytes], caption: str) -> str:
    """JPEG images beside each other, with a caption below."""
    shown = "".join(
        f'<img alt="" src="data:image/jpeg;base64,{base64.b64encode(coded).decode()}">'
        for coded in images
    )
    return f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>"
