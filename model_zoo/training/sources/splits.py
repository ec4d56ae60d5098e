"""What is trained on, what is developed on, and what is held out, by composition.

A composition falls into a part by a hash of its name, so that it falls into the same one in each
of its files, transcriptions and covers, and stays there as sources grow. Its name is its title
alone: artists cover each other, and songs that share a title by chance share a part with no harm.
POP909, which has numbers for titles, keeps the parts that it has always had, and sources with parts
of their own keep those.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

from model_zoo.training.sources.piece import Origin, Part

HELD_BACK: Final = range(701, 801)
EXCLUDED_SONGS: Final = frozenset({*range(1, 801, 20), *HELD_BACK})
"""POP909's songs, by 1-based number in the archive, on which constants were chosen or figures are
stated: ``tests/bench/pop909.py`` does so on every 20th."""

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
    """Return a composition's name from the title of one of its files or versions.

    Case, accents, punctuation, brackets and words for versions are dropped, and a number at its
    end that tells files apart: ``"One (ver 3 by metalfan).gp5"`` is ``"one"``.
    """
    plain = unicodedata.normalize("NFKD", title)
    plain = "".join(c for c in plain if not unicodedata.combining(c)).casefold()
    plain = re.sub(r"\.(?:midi?|kar|gp[345x]?|mxl|musicxml|xml|krn|abc)$", "", plain)
    return _FILE_NUMBER.sub("", _words(_without_version(plain))) or _words(plain)


def read_title(stem: str) -> str:
    """Return the title in a file's name, of such as ``Artist - Title - live``."""
    artist, *others = stem.replace("_", " ").split(" - ")
    return next((part for part in others if _words(_without_version(part.casefold()))), artist)


def _without_version(text: str) -> str:
    return _VERSION.sub(" ", _BRACKETS.sub(" ", text).replace("_", " "))


def _words(text: str) -> str:
    return _NO_LETTER.sub(" ", text).strip().removeprefix("the ")


def assign(origin: Origin) -> Part:
    """Return the part that a composition belongs to."""
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
    """Return the part of POP909's song ``number``: the dev songs are 10 past an excluded one."""
    if number in EXCLUDED_SONGS:
        return "held out"
    return "dev" if number % 20 == 11 else "train"
