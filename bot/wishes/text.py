"""Normalise what people write, so that the grammar needs to know one spelling only."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

MAX_CHARS: Final = 300
"""Longer messages are no wishes."""

_SPELLINGS: Final = (
    (re.compile("ё"), "е"),
    (re.compile("фортепьян"), "фортепиан"),
    (re.compile("[\u2044\u2215\\\\]"), "/"),
    (re.compile("♯"), "#"),
    (re.compile("♭"), "b"),
    (re.compile("×"), "x"),
    (re.compile("(?:♩|♪|𝅘𝅥) ?="), "tempo "),
    (re.compile("[\u2010-\u2015\u2212]"), "-"),
    (re.compile("['\u2019`´\u02bc\u0301]"), ""),
    (re.compile(r"(?<=\d) ?([/-]) ?(?=\d)"), r"\1"),
    (re.compile(r"(?<=\d)-(?=[^\W\d])"), ""),
    (re.compile(r"(?<=[^\W\d])-(?=[^\W\d])"), " "),
    (re.compile(r"(?<=\d)[.,](?=\d)"), "."),
    (re.compile(r"(?<=\b[a-h])(?: sharp| диез)(?= |$)"), "#"),
    (re.compile(r"(?<=\b[a-h])(?: flat| бемоль)(?= |$)"), "b"),
    (re.compile(r" - |->|[→;:!?…\n\r.]+(?!\d)"), " , "),
    (re.compile(r"\.(?!\d)|(?<!\d)\.|,|;"), " , "),
    (re.compile(r"(?<!\S)-(?!\d)|-(?!\S)"), " , "),
    (re.compile(r"[^\w/#+.,%=-]"), " "),
    (re.compile(r"\s+"), " "),
)


def normalise(text: str) -> str:
    """Lower case, "е" for "ё", one spelling of signs, and words separated by one space.

    Marks that end a clause become a word of their own, ``","``.
    """
    # NFKC would write "²" and "Ⅱ" as digits; only fractions such as "¾" are wanted.
    text = "".join(unicodedata.normalize("NFKC", c) if "¼" <= c <= "¾" else c for c in text)
    text = unicodedata.normalize("NFC", text).casefold()
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    return text.strip()
