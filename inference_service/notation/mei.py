"""Verovio's own reading of a score, dressed for the page.

Verovio reads MusicXML into MEI (https://music-encoding.org) and engraves that. Some things that a
reader wants cannot be said in MusicXML in a way that it honours, so they are written into the MEI:
a title that wraps; chord symbols larger than other text, over the top staff even where a note
below is the next one in the file, and with a space behind each, without which two that stand close
run together. In a full score a part that rests for a whole system is hidden, but for the top one,
which carries chord symbols and tempo.
"""

from __future__ import annotations

import re
import textwrap
from typing import Final
from xml.sax.saxutils import escape, unescape

TITLE_LINE_CHARS: Final = 36
TITLE_LINES: Final = 3

_PIANO_STAVES: Final = 2
_TOP_STAFF: Final = re.compile(r'<staff (?:[^>]* )?n="1"[^>]*>.*?</staff>', re.DOTALL)
_FOURTH_LINE: Final = 6
"""From which a rest of a bar hangs, also beside a second layer."""
_UNSEEN_LAYER: Final = '<layer n="2"><note dur="4" oct="4" pname="b" visible="false" /></layer>'

_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_SCORE_DEFINITION: Final = re.compile(r"<scoreDef\b[^>]*[^/]>")
_CHORD_SYMBOL: Final = re.compile(
    r'(<harm\b[^>]*?)staff="\d+"([^>]*[^/]>)(.*?)(</harm>)', re.DOTALL
)
_CHORD_SIZE: Final = "120%"
_TITLE_SIZE: Final = "150%"
_NO_BREAK_SPACE: Final = "\u00a0"


def dress(mei: str) -> str:
    """Return the MEI with a page header, and chord symbols that can be read at arm's length.

    With more staves than a piano's, resting parts are hidden.
    """
    title = _TITLE.search(mei)
    if mei.count("<staffDef ") > _PIANO_STAVES:
        mei = _hide_resting_parts(mei)
    dressed = _CHORD_SYMBOL.sub(
        rf'\1staff="1"\2<rend fontsize="{_CHORD_SIZE}">\3{_NO_BREAK_SPACE}</rend>\4', mei
    )
    if title is None or not title.group(1).strip():
        return dressed
    header = build_header(unescape(title.group(1)))
    return _SCORE_DEFINITION.sub(lambda match: match.group() + header, dressed, count=1)


def _hide_resting_parts(mei: str) -> str:
    """Mark the score as one whose empty staves are hidden; keep the top staff with a note unseen.

    Verovio hides a staff that has no note in a system, and all that is attached to it.
    """
    kept = _TOP_STAFF.sub(_keep_staff, mei)
    return kept.replace("<scoreDef", '<scoreDef optimize="true"', 1)


def _keep_staff(match: re.Match[str]) -> str:
    staff = match.group()
    if "<mRest" not in staff:
        return staff
    staff = staff.replace("<mRest", f'<mRest loc="{_FOURTH_LINE}"', 1)
    return staff.replace("</staff>", f"{_UNSEEN_LAYER}</staff>")


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
