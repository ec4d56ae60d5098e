"""Assigns compositions to training, development and held-out splits.

The split is a hash of the composition's name. All files, transcriptions and covers of a composition
are therefore in one split, and stay there as sources grow. The name is the title without the
artist, because artists cover each other; unrelated songs of the same title merely share a split.
POP909, which has no titles, is split by song number. Sources that define splits keep them.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from model_zoo.training.sources.piece import Origin, Part

HELD_BACK: Final = range(701, 801)
EXCLUDED_SONGS: Final = frozenset({*range(1, 801, 20), *HELD_BACK})
"""1-based numbers of the POP909 songs on which constants were chosen or figures are reported
(``tests/bench/pop909.py`` uses every 20th)."""

DEV_SHARE: Final = 0.05
HELD_OUT_SHARE: Final = 0.05

_BRACKETS: Final = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|\{[^{}]*\}")
_VERSION: Final = re.compile(
    r"\b(?:v(?:er(?:sion)?)?\W*\d+|live|acoustic|unplugged|instrumental|remaster(?:ed)?|cover"
    r"|remix|demo|solo|intro|tab(?:s)?|bass|drums?|guitar|piano|karaoke|(?:feat|ft)\b.*)(?=\W|$)"
)
_FILE_NUMBER: Final = re.compile(r"(?<=\D)(?<!\bno)(?<!\bnr)(?<!\bop)(?<!\bbwv) \d{1,2}$")
_NO_LETTER: Final = re.compile(r"[\W_]+")


def name_work(title: str) -> str:
    """Return the name of a composition, given the title of one of its files or versions.

    Drops case, accents, punctuation, text in brackets, words for versions and a trailing number
    that distinguishes files: ``"One (ver 3 by metalfan).gp5"`` becomes ``"one"``.
    """
    plain = unicodedata.normalize("NFKD", title)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"\.(?:midi?|kar|gp[345x]?|mxl|musicxml|xml|krn|abc)$", "", plain)
    return _FILE_NUMBER.sub("", _words(_without_version(plain))) or _words(plain)


def read_title(stem: str) -> str:
    """Return the title within a file name such as ``Artist - Title - live``."""
    artist, *others = stem.replace("_", " ").split(" - ")
    return next((part for part in others if _words(_without_version(part.casefold()))), artist)


def _without_version(text: str) -> str:
    return _VERSION.sub(" ", _BRACKETS.sub(" ", text).replace("_", " "))


def _words(text: str) -> str:
    return _NO_LETTER.sub(" ", text).strip().removeprefix("the ")


def assign(origin: Origin) -> Part:
    """Return the split that a composition belongs to."""
    if origin.part is not None:
        return origin.part
    if origin.source == "pop909":
        return assign_song(int(origin.work.split()[-1]))
    digest = hashlib.blake2b(origin.work.encode(), digest_size=8).digest()
    place = int.from_bytes(digest, "big") / 2**64
    if place < HELD_OUT_SHARE:
        return "held out"
    return "dev" if place < HELD_OUT_SHARE + DEV_SHARE else "train"


def assign_song(number: int) -> Part:
    """Return the split of POP909's song ``number``; development songs are 10 past excluded ones."""
    if number in EXCLUDED_SONGS:
        return "held out"
    return "dev" if number % 20 == 11 else "train"
