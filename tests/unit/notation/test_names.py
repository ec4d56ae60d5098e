"""Names of parts in the margin."""

from __future__ import annotations

import re

import pytest

from inference_service.music.families import FAMILIES
from inference_service.music.score import ScorePart
from inference_service.notation.names import (
    Language,
    full_name,
    order_parts,
    short_name,
    translate_name,
)


@pytest.mark.parametrize(
    ("name", "full", "short"),
    [
        ("Vocals", "Vocals", "Voc."),
        ("MELODY", "Melody", "Mel."),
        ("Violin 2", "Violin 2", "Vln. 2"),
        ("Bass", "Bass", "Bass"),
        ("Accompaniment", "Accompaniment", "Acc."),
        ("Фортепиано 2", "Фортепиано 2", "Ф-п. 2"),
        ("SAX", "SAX", "Sax."),
        ("", "", ""),
    ],
)
def test_names(name: str, full: str, short: str) -> None:
    assert full_name(name) == full
    assert short_name(name) == short


def test_every_name_of_ours_is_russian_on_a_russian_page() -> None:
    for name in (*FAMILIES, "vocals", "drums", "melody", "accompaniment", "chords"):
        for written in (name.capitalize(), f"{name.capitalize()} 2"):
            translated = translate_name(written, Language.RU)
            assert re.fullmatch("[А-Я][а-я]+( 2)?", translated), written
            assert short_name(translated)[0] == translated[0]
            assert translate_name(written, Language.EN) == written


@pytest.mark.parametrize("name", ["", "7", "Kazoo", "Моя партия", "Zither 2"])
def test_other_names_stay(name: str) -> None:
    assert translate_name(name, Language.RU) == name


def part_of(part_id: str, program: int | None, *, is_drum: bool = False) -> ScorePart:
    return ScorePart(part_id, part_id.capitalize(), (), program, is_drum)


def test_known_instruments_stand_in_their_usual_order() -> None:
    parts = [part_of("drums", None, is_drum=True), part_of("bass", 33), part_of("piano", 0)]
    parts += [part_of("strings", 48), part_of("winds", 73), part_of("vocals", 53)]
    ordered = [part.id for part in order_parts(parts)]
    assert ordered == ["vocals", "winds", "piano", "strings", "bass", "drums"]


def test_lines_of_unknown_players_stay_from_high_to_low() -> None:
    parts = [part_of("drums", None, is_drum=True), part_of("strings", 48), part_of("part-2", 73)]
    parts.append(part_of("brass", 61))
    assert [part.id for part in order_parts(parts)] == ["strings", "part-2", "brass", "drums"]
