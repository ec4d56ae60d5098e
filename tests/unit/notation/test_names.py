"""Names of parts in the margin."""

from __future__ import annotations

import re

import pytest

from inference_service.music.families import FAMILIES
from inference_service.notation.names import Language, full_name, short_name, translate_name


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
