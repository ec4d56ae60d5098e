"""Edit Verovio's MEI for what MusicXML cannot express.

Verovio converts MusicXML to MEI (https://music-encoding.org) and engraves that. These things are
written into the MEI, as Verovio does not honour them in MusicXML:

- a title that wraps;
- chord symbols that are larger than other text, above the top staff even where the next note in the
  file is on a lower one, each with a trailing space, without which close ones run together;
- the same space after a tempo mark, so that no chord symbol touches it;
- in a full score, parts that rest for a whole system are hidden. The top part is kept, as it
  carries chord symbols and tempo.
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
"""MEI location of the staff line from which a whole-bar rest hangs, even beside a second layer."""
_UNSEEN_LAYER: Final = '<layer n="2"><note dur="4" oct="4" pname="b" visible="false" /></layer>'

_TITLE: Final = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_SCORE_DEFINITION: Final = re.compile(r"<scoreDef\b[^>]*[^/]>")
_CHORD_SYMBOL: Final = re.compile(
    r'(<harm\b[^>]*?)staff="\d+"([^>]*[^/]>)(.*?)(</harm>)', re.DOTALL
)
_TEMPO_END: Final = "</tempo>"
_CHORD_SIZE: Final = "120%"
_TITLE_SIZE: Final = "150%"
_NO_BREAK_SPACE: Final = "\u00a0"


def dress(mei: str) -> str:
    """Return the MEI with a page header, larger chord symbols, and space after the tempo.

    In scores of more than two staves, resting parts are hidden.
    """
    title = _TITLE.search(mei)
    if mei.count("<staffDef ") > _PIANO_STAVES:
        mei = _hide_resting_parts(mei)
    dressed = _CHORD_SYMBOL.sub(
        rf'\1staff="1"\2<rend fontsize="{_CHORD_SIZE}">\3{_NO_BREAK_SPACE}</rend>\4', mei
    )
    dressed = dressed.replace(_TEMPO_END, 2 * _NO_BREAK_SPACE + _TEMPO_END)
    if title is None or not title.group(1).strip():
        return dressed
    header = build_header(unescape(title.group(1)))
    return _SCORE_DEFINITION.sub(lambda match: match.group() + header, dressed, count=1)


def _hide_resting_parts(mei: str) -> str:
    """Hide empty staves, except the top one, which gets an invisible note.

    Verovio hides a staff without notes in a system together with everything attached to it.
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
    """Return MEI's page header with the title, wrapped and cut after ``TITLE_LINES`` lines."""
    lines = textwrap.wrap(
        title, TITLE_LINE_CHARS, max_lines=TITLE_LINES, placeholder=" …", break_long_words=True
    )
    text = "<lb/>".join(escape(line) for line in lines)
    return (
        '<pgHead func="first"><rend halign="center" valign="middle">'
        f'<rend fontsize="{_TITLE_SIZE}">{text}</rend></rend></pgHead>'
    )
