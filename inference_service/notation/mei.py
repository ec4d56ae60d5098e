"""Verovio's own reading of a score, dressed for the page.

Verovio reads MusicXML into MEI (https://music-encoding.org) and engraves that. Some things that a
reader wants cannot be said in MusicXML in a way that it honours, so they are written into the MEI:
a title that wraps; chord symbols larger than other text, over the top staff even where a note
below is the next one in the file, and with a space behind each, without which two that stand close
run together.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final
from xml.sax.saxutils import escape, unescape

TITLE_LINE_CHARS: Final = 36
TITLE_LINES: Final = 3

_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_SCORE_DEFINITION: Final = re.compile(r"<scoreDef\b[^>]*[^/]>")
_CHORD_SYMBOL: Final = re.compile(
    r'(<harm\b[^>]*?)staff="\d+"([^>]*[^/]>)(.*?)(</harm>)', re.DOTALL
)
_CHORD_SIZE: Final = "120%"
_TITLE_SIZE: Final = "150%"
_NO_BREAK_SPACE: Final = "\u00a0"


def dress(mei: str) -> str:
    """Return the MEI with a page header, and chord symbols that can be read at arm's length."""
    title = _TITLE.search(mei)
    dressed = _CHORD_SYMBOL.sub(
        rf'\1staff="1"\2<rend fontsize="{_CHORD_SIZE}">\3{_NO_BREAK_SPACE}</rend>\4', mei
    )
    if title is None or not title.group(1).strip():
        return dressed
    header = build_header(unescape(title.group(1)))
    return _SCORE_DEFINITION.sub(lambda match: match.group() + header, dressed, count=1)


def build_header(title: str) -> str:
    """Return MEI's page header with a title, broken into lines and cut after the third."""
    lines = textwrap.wrap(
        title, TITLE_LINE_CHARS, max_lines=TITLE_LINES, placeholder=" …", break_long_words=True
    )
    text = "<lb/>".join(escape(line) for line in lines)
    return (
        '<pgHead func="first"><rend halign="center" valign="middle">'
        f'<rend fontsize="{_TITLE_SIZE}">{text}</rend></rend></pgHead>'
    )
