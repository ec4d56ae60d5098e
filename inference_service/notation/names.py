"""Names of parts in the margin of a full score, and the order of parts on the page.

Parts have English names. On a page they are in the reader's language; a name that we did not give,
such as one from a file or from a reader, stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from enum import StrEnum
from typing import Final

from inference_service.music.programs import SINGERS
from inference_service.music.score import Score, ScorePart


class Language(StrEnum):
    """A language of part names."""

    EN = "en"
    RU = "ru"


KEY_WORDS: Final = {Language.EN: "Key", Language.RU: "Тональность"}
"""The word before the key on a chord sheet."""

_RUSSIAN: Final = {
    "vocals": "Вокал", "voice": "Голос", "melody": "Мелодия", "chords": "Аккорды",
    "accompaniment": "Аккомпанемент", "piano": "Фортепиано", "keyboard": "Клавишные",
    "mallets": "Вибрафон", "organ": "Орган", "guitar": "Гитара", "bass": "Бас", "drums": "Ударные",
    "strings": "Струнные", "brass": "Медные", "winds": "Духовые", "synth": "Синтезатор",
    "other": "Другие",
    "acoustic piano": "Фортепиано", "electric piano": "Электропиано",
    "chromatic percussion": "Клавишные ударные", "acoustic guitar": "Акустическая гитара",
    "clean electric guitar": "Электрогитара",
    "distorted electric guitar": "Электрогитара (дисторшн)",
    "acoustic bass": "Акустический бас", "electric bass": "Бас-гитара", "violin": "Скрипка",
    "viola": "Альт", "cello": "Виолончель", "contrabass": "Контрабас", "orchestral harp": "Арфа",
    "timpani": "Литавры", "string ensemble": "Струнные", "synth strings": "Синтезаторные струнные",
    "orchestra hit": "Оркестровый удар", "trumpet": "Труба", "trombone": "Тромбон", "tuba": "Туба",
    "french horn": "Валторна", "brass section": "Медные",
    "soprano and alto sax": "Саксофон (сопрано, альт)", "tenor sax": "Тенор-саксофон",
    "baritone sax": "Баритон-саксофон", "oboe": "Гобой", "english horn": "Английский рожок",
    "bassoon": "Фагот", "clarinet": "Кларнет", "flutes": "Флейты",
    "synth lead": "Синтезатор (соло)", "synth pad": "Синтезатор (фон)",
}  # fmt: skip
"""The names that we give to parts, in lower case, and what a Russian musician calls them."""

_SHORT_NAMES: Final = {
    "vocals": "Voc.", "voice": "Voc.", "melody": "Mel.", "piano": "Pno.", "keyboard": "Kbd.",
    "keys": "Kbd.", "organ": "Org.", "harpsichord": "Hpd.", "guitar": "Gtr.", "bass": "Bass",
    "drums": "Dr.", "percussion": "Perc.", "strings": "Str.", "violin": "Vln.", "viola": "Vla.",
    "cello": "Vc.", "violoncello": "Vc.", "contrabass": "Cb.", "flute": "Fl.", "oboe": "Ob.",
    "clarinet": "Cl.", "bassoon": "Bn.", "horn": "Hn.", "trumpet": "Tpt.", "trombone": "Tbn.",
    "tuba": "Tba.", "saxophone": "Sax.", "sax": "Sax.", "harp": "Hp.", "accordion": "Acc.",
    "synth": "Syn.", "choir": "Ch.", "soprano": "S.", "alto": "A.", "tenor": "T.",
    "lead": "Lead", "other": "Oth.", "mallets": "Mal.", "brass": "Br.", "winds": "Ww.",
    "accompaniment": "Acc.",
    "вокал": "Вок.", "голос": "Гол.", "мелодия": "Мел.", "аккорды": "Акк.",
    "аккомпанемент": "Акк.", "фортепиано": "Ф-п.", "клавишные": "Кл.", "вибрафон": "Вибр.",
    "орган": "Орг.", "гитара": "Гит.", "бас": "Бас", "ударные": "Уд.", "струнные": "Стр.",
    "медные": "Мед.", "духовые": "Дух.", "синтезатор": "Синт.", "другие": "Др.",
}  # fmt: skip
_LONGEST_SHORT: Final = 5
_LONGEST_CAPITALS: Final = 3

# Rank on the page of General MIDI's groups of eight programs: winds, brass and leads first, then
# plucked strings, keyboards, chromatic percussion, bowed strings, the rest, basses.
_FAMILY_RANKS: Final = {9: 1, 8: 1, 7: 2, 10: 3, 3: 4, 0: 5, 2: 5, 1: 6, 5: 7, 6: 7, 11: 7}
_OTHER_RANK: Final = 8
_BASS_RANK: Final = 9
_DRUM_RANK: Final = 10
_UNKNOWN: Final = re.compile(r"part(-\d+)?")
"""Id of a player whose instrument is not known (``tagger/notes/players.py``)."""


def translate_name(name: str, language: Language) -> str:
    """Return a part's name in a language; a number at its end stays.

    >>> translate_name("Guitar 2", Language.RU)
    'Гитара 2'
    """
    if language is Language.EN:
        return name
    word, space, number = name.rpartition(" ") if name[-1:].isdigit() else (name, "", "")
    return f"{_RUSSIAN.get(word.lower(), word)}{space}{number}"


def translate_names(score: Score, language: Language) -> Score:
    """Return a score whose parts are named in a language."""
    parts = (replace(part, name=translate_name(part.name, language)) for part in score.parts)
    return replace(score, parts=tuple(parts))


def full_name(name: str) -> str:
    """Return the name to print before a part's first staff; names in capitals are normalised."""
    name = name.strip()
    return name.capitalize() if name.isupper() and len(name) > _LONGEST_CAPITALS else name


def short_name(name: str) -> str:
    """Return the abbreviated name for the second and later systems.

    >>> [short_name(name) for name in ("Violin 2", "Kazoo", "Bandoneon")]
    ['Vln. 2', 'Kazoo', 'Band.']
    """
    match = re.fullmatch(r"(.*?)\s*(\d*)", full_name(name))
    word, number = match.groups() if match else (name, "")
    if len(word) <= _LONGEST_SHORT and word.lower() not in _SHORT_NAMES:
        short = word
    else:
        short = _SHORT_NAMES.get(word.lower(), f"{word[:4].strip()}.")
    return f"{short} {number}".strip()


def order_parts(parts: Iterable[ScorePart]) -> tuple[ScorePart, ...]:
    """Return the parts as they stand on the page: voices first, drums last.

    If the instrument of one is not known, all keep their order, from the highest line to the
    lowest.
    """
    parts = tuple(parts)
    if any(_UNKNOWN.fullmatch(part.id) for part in parts):
        return tuple(sorted(parts, key=lambda part: part.is_drum))
    return tuple(sorted(parts, key=_rank))


def _rank(part: ScorePart) -> int:
    if part.is_drum:
        return _DRUM_RANK
    if part.id == "vocals" or part.program in SINGERS:
        return 0
    if part.id == "bass":
        return _BASS_RANK
    family = (part.program or 0) // 8
    return _BASS_RANK if family == 4 else _FAMILY_RANKS.get(family, _OTHER_RANK)
