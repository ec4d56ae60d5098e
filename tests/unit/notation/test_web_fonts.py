"""The fonts that pages bring along."""

from __future__ import annotations

from io import BytesIO

from fontTools.ttLib import TTFont

from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY
from inference_service.notation.web_fonts import subset_fonts

PAGE = (
    '<svg><text x="1">Am7<tspan>&#x266f;♯ &amp; Ж</tspan></text>'
    f'<text font-family="{MUSIC_FAMILY}">\ue1d5</text><g class="notText"/></svg>'
)


def test_fonts_have_the_characters_of_the_text() -> None:
    fonts = subset_fonts([PAGE])
    texts = [font for font in fonts if font.family == TEXT_FAMILY]
    (music,) = (font for font in fonts if font.family == MUSIC_FAMILY)
    assert [(font.is_bold, font.is_italic) for font in texts] == [
        (False, False),
        (True, False),
        (False, True),
    ]
    for font in texts:
        letters = "Am7Ж&" if font.is_italic else "Am7♯Ж&"  # the italic has no accidentals
        assert set(map(ord, letters)) <= set(TTFont(BytesIO(font.woff2)).getBestCmap())
        assert len(font.woff2) < 8_000
    assert set(TTFont(BytesIO(music.woff2)).getBestCmap()) == {0xE1D5}


def test_pages_without_signs_need_no_music_font() -> None:
    assert {font.family for font in subset_fonts(["<svg><text>A</text></svg>"])} == {TEXT_FAMILY}


def test_equal_text_has_equal_fonts() -> None:
    assert subset_fonts([PAGE]) == subset_fonts([PAGE, PAGE])
