"""Engraved pages: their size, their text, and that any score can be engraved."""

from __future__ import annotations

import io
import random
import re
import struct
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pypdf
import pytest
from fontTools.ttLib import TTFont
from PIL import Image

from inference_service.music.events import Key
from inference_service.music.score import Score, ScoreNote, ScorePart
from inference_service.notation import engrave as module
from inference_service.notation.arrange import arrange
from inference_service.notation.engrave import engrave, rasterize, write_pdf
from inference_service.notation.fonts import MUSIC_FAMILY, TEXT_FAMILY, font_files
from inference_service.notation.mei import TITLE_LINE_CHARS, build_header
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.page import PHONE, PRINTED, Page, Paper
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.factories import perform

STAFF_SPACE_PX = 16
TELEGRAM_BYTES = 10_000_000
TELEGRAM_SIDES_PX = 10_000


def write(
    parts: Mapping[str, Sequence[tuple[float, float, int]]],
    view: View = View.FULL,
    title: str = "",
    **options: Any,
) -> bytes:
    return encode_musicxml(arrange(quantize(perform(parts, **options), title), view))


@cache
def long_piano() -> bytes:
    generator = random.Random(4)
    notes = [(k / 2, 0.5, generator.randint(40, 84)) for k in range(600) for _ in range(2)]
    return write(
        {"piano": notes}, title="Соната ♭♯", key=Key("Eb", "major"), chords=[(0, 9, "Bb:min7")]
    )


@cache
def long_pages(page: Page = PHONE) -> list[str]:
    return engrave(long_piano(), page)


@cache
def long_pdf(paper: Paper) -> bytes:
    return write_pdf(long_pages(PRINTED[paper]), paper)


def size_px(png: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def assert_sendable(png: bytes) -> None:
    """Telegram accepts the page as a photo."""
    width, height = size_px(png)
    assert width <= 1600
    assert width + height <= TELEGRAM_SIDES_PX
    assert max(width, height) / min(width, height) <= 20
    assert len(png) < TELEGRAM_BYTES


def test_a_long_piece_has_pages_of_one_size() -> None:
    pages = long_pages()
    assert len(pages) > 3
    for page in (pages[0], pages[-1]):
        width, height = size_px(rasterize(page))
        assert width == PHONE.width_px
        assert height <= PHONE.height_px


GENERATOR = random.Random(1)
ANYTHING: dict[str, dict[str, list[tuple[float, float, int]]]] = {
    "nothing": {},
    "an empty part": {"vocals": []},
    "one note": {"vocals": [(1.0, 1.0, 60)]},
    "only drums": {"drums": [(k / 2, 0.1, 35 + k % 20) for k in range(32)]},
    "beyond the staff": {"piano": [(k, 1.0, p) for k, p in enumerate((0, 127, 21, 108, 60))]},
    "twenty parts": {f"part {k}": [(0.0, 1.0, 36 + 2 * k), (1.0, 4.0, 90)] for k in range(20)},
}


@pytest.mark.parametrize("view", list(View))
@pytest.mark.parametrize("name", ANYTHING)
def test_anything_becomes_a_page(name: str, view: View) -> None:
    pages = engrave(write(ANYTHING[name], view, "Title"))
    assert pages
    assert_sendable(rasterize(pages[0]))


def test_a_short_piece_is_a_low_page() -> None:
    (page,) = engrave(write({"vocals": [(k, 1, 60 + k) for k in range(4)]}))
    _, height = size_px(rasterize(page))
    assert height < PHONE.height_px / 3


def test_hostile_lengths_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_PAGES", 2)
    assert len(engrave(long_piano())) == 2


def test_text_and_music_are_drawn() -> None:
    notes = {"vocals": [(k, 1, 60) for k in range(8)]}
    plain = ink(engrave(write(notes))[0])
    titled = ink(engrave(write(notes, title="Ж"))[0])
    chords = ink(engrave(write(notes, chords=[(0, 8, "Bb:min7")]))[0])
    assert 0 < plain < titled
    assert plain < chords


def ink(svg: str) -> int:
    """Return the number of black pixels on a page."""
    image = Image.open(io.BytesIO(rasterize(svg))).convert("L")
    return int((255 - np.asarray(image, dtype=np.int64)).sum() // 255)


def test_the_background_is_opaque_white() -> None:
    image = Image.open(io.BytesIO(rasterize(engrave(write({}))[0]))).convert("RGBA")
    assert image.getpixel((2, 2)) == (255, 255, 255, 255)


def test_every_sign_in_text_has_a_glyph() -> None:
    svgs = engrave(
        write(
            {"vocals": [(k, 1, 61) for k in range(8)]},
            title="Ёлка — «Song» №1",
            key=Key("Db", "major"),
            chords=[(0, 4, "Gb:hdim7/b3"), (4, 8, "A:maj7")],
        )
    )
    glyphs = {ord(c) for font in font_files() for c in map(chr, TTFont(font).getBestCmap())}
    text = "".join(re.findall(r">([^<]+)<", "".join(svgs)))
    assert "Ёлка" in text
    assert {c for c in text if ord(c) not in glyphs and c.isprintable()} == set()


def test_the_pages_name_only_the_fonts_that_are_given() -> None:
    families = set(re.findall(r'font-family="([^"]+)"', "".join(long_pages())))
    assert families <= {TEXT_FAMILY, MUSIC_FAMILY}


def test_chord_symbols_that_stand_close_do_not_touch() -> None:
    chords = [(float(k), float(k + 1), f"{r}:maj7/5") for k, r in enumerate(["Bb", "C"] * 4)]
    (svg,) = engrave(write({"vocals": [(k, 1, 60) for k in range(8)]}, chords=chords))
    by_line: dict[str, list[int]] = {}
    for x, y in re.findall(r'class="harm".*?<text x="(\d+)" y="(\d+)"', svg):
        by_line.setdefault(y, []).append(int(x))
    assert sum(map(len, by_line.values())) == 8
    # Eight letters of 40 px and the width of the accidentals, in the SVG's tenths of a pixel
    assert min(b - a for line in by_line.values() for a, b in pairwise(line)) > 1300


@pytest.mark.parametrize("start", range(5))
def test_no_chord_symbol_touches_the_tempo(start: int) -> None:
    notes = [(k, 1, 67 + k * 5 % 9) for k in range(24)]
    chords = [(start, start + 6, "A:min7")]
    score = write({"vocals": notes}, bpm=240, time_signature="12/8", chords=chords)
    svg = engrave(score)[0]
    (tempo_x, tempo_y), (chord_x, chord_y) = (
        map(int, re.findall(rf'class="{kind}".*?<text x="(\d+)" y="(\d+)"', svg, re.DOTALL)[0])
        for kind in ("tempo", "harm")
    )
    # "♩. = 80" is 1130 wide, in the SVG's tenths of a pixel
    assert chord_x - tempo_x > 1300 or tempo_y - chord_y > 400


@pytest.mark.parametrize(
    ("title", "lines"),
    [("Short", 1), ("word " * 12, 2), ("слово " * 60, 3), ("x" * 200, 3), ("a <b> & c", 1)],
)
def test_titles_wrap(title: str, lines: int) -> None:
    header = build_header(title)
    assert header.count("<lb/>") == lines - 1
    for line in re.sub(r"<(?!lb/)[^>]+>", "", header).split("<lb/>"):
        assert len(line.replace("&lt;", "<").replace("&gt;", ">")) <= TITLE_LINE_CHARS + 4


@pytest.mark.parametrize(("paper", "points"), [(Paper.A4, (595, 842)), (Paper.LETTER, (612, 792))])
def test_a_pdf_holds_pages_for_its_paper_as_vectors(paper: Paper, points: tuple[int, int]) -> None:
    pages = long_pages(PRINTED[paper])
    assert 1 < len(pages) < len(long_pages()), "print is smaller than a phone's page"
    pdf = long_pdf(paper)
    document = pypdf.PdfReader(io.BytesIO(pdf))
    assert len(document.pages) == len(pages)
    for number, page in enumerate(document.pages, start=1):
        assert (round(float(page.mediabox.width)), round(float(page.mediabox.height))) == points
        assert len(page.images) == 0
        assert page.extract_text().split()[-1] == str(number)
    assert "Соната" in document.pages[0].extract_text()


def test_a_pdf_carries_its_fonts() -> None:
    pdf = long_pdf(Paper.A4)
    fonts = [font for page in pypdf.PdfReader(io.BytesIO(pdf)).pages for font in _fonts(page)]
    assert fonts
    assert all("/FontFile2" in font or "/FontFile3" in font for font in fonts)


def _fonts(page: pypdf.PageObject) -> list[pypdf.generic.DictionaryObject]:
    """Return the font descriptors of a page, including those inside its pictures."""
    found: list[pypdf.generic.DictionaryObject] = []
    resources: list[Any] = [page["/Resources"]]
    while resources:
        resource = resources.pop().get_object()
        for font in resource.get("/Font", {}).values():
            for descendant in font.get_object().get("/DescendantFonts", [font.get_object()]):
                found.append(descendant.get_object()["/FontDescriptor"].get_object())
        for form in resource.get("/XObject", {}).values():
            resources.append(form.get_object().get("/Resources", {}))
    return found


@pytest.mark.parametrize("paper", list(Paper))
def test_a_system_higher_than_the_paper_is_made_smaller(paper: Paper) -> None:
    parts = {f"part {k}": [(0.0, 4.0, 36 + k)] for k in range(60)}
    page = PRINTED[paper]
    (svg,) = engrave(write(parts), page)
    png = rasterize(svg)
    assert size_px(png) == (page.width_px, page.height_px)
    image = np.asarray(Image.open(io.BytesIO(png)).convert("L"))
    assert (image[-page.margin_px // 4 :] == 255).all(), "nothing runs over the lower edge"


def test_threads_share_the_engraver() -> None:
    music = [write({"vocals": [(k, 1, 60 + j) for k in range(16)]}) for j in range(4)]
    alone = [rasterize(engrave(m)[0]) for m in music]
    together: dict[int, bytes] = {}

    def work(number: int) -> None:
        together[number] = rasterize(engrave(music[number])[0])

    threads = [threading.Thread(target=work, args=(j,)) for j in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[j] for j in range(4)] == alone


def test_what_is_no_music_is_refused() -> None:
    with pytest.raises(ValueError, match="MusicXML"):
        engrave(b"<html/>")


def test_chord_symbols_stand_over_the_top_staff() -> None:
    notes = [(0.0, 4.0, 72), *((float(k), 1.0, 48) for k in range(4))]
    (svg,) = engrave(write({"piano": notes}, chords=[(0, 2, "C:maj"), (2, 4, "F:maj")]))
    heights = re.findall(r'class="harm".*?<text x="\d+" y="(\d+)"', svg)
    assert len(heights) == 2
    assert len(set(heights)) == 1


def test_parts_hide_where_they_rest_but_the_top_one_keeps_its_chord_symbols() -> None:
    melody = [(k, 1, 60 + k % 5) for k in range(16)]
    flute = [(k, 1, 72 + k % 5) for k in range(16)]
    bass = [(k, 1, 40 + k % 5) for k in range(480)]
    chords = [(4 * k, 4 * k + 4, ("C:maj", "F:maj")[k % 2]) for k in range(120)]
    performance = perform({"vocals": melody, "flute": flute, "piano": bass}, chords=chords)
    score = arrange(quantize(performance, ""), View.FULL)
    pages = engrave(encode_musicxml(score))
    assert len(pages) > 1
    assert sum(page.count('class="harm"') for page in pages) == 120
    first, rest = pages[0], pages[1:]
    assert "Flute" in first
    assert all("Fl." not in page for page in rest)
    assert all("Voc." in page for page in rest)


def test_octave_lines_are_drawn() -> None:
    high = perform({"flute": [(k, 1, 98 + k % 3) for k in range(8)]})
    (page,) = engrave(encode_musicxml(arrange(quantize(high, ""), View.FULL)))
    assert 'class="octave"' in page


@pytest.mark.parametrize("signature", ["4/4", "6/8"])
@pytest.mark.parametrize("swing", [False, True])
def test_the_tempo_stands_clear_of_the_time_signature(signature: str, swing: bool) -> None:
    # In the bass clef, nothing but the tempo rises above the staff.
    notes = tuple(ScoreNote(Fraction(k), Fraction(1), 50) for k in range(8))
    part = ScorePart("cello", "Cello", notes, program=42)
    score = Score("", 120.0, signature, Key("C", "major"), (part,), (), swing=swing)
    (svg,) = engrave(encode_musicxml(score))
    ink = np.asarray(Image.open(io.BytesIO(rasterize(svg))).convert("L")) < 128
    staff_top = int(np.argmax(ink.mean(axis=1) > 0.15))
    in_tempo = np.any(ink[:staff_top], axis=1)
    gap = staff_top - 1 - int(np.flatnonzero(in_tempo)[-1])
    assert gap >= STAFF_SPACE_PX // 2


def test_several_threads_engrave_as_one_does() -> None:
    score = write({"piano": [(k / 2, 0.5, 60 + k % 12) for k in range(32)]}, title="Ноты")

    def draw(musicxml: bytes) -> list[bytes]:
        return [rasterize(svg) for svg in engrave(musicxml)]

    alone = draw(score)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(draw, [score] * 6)) == [alone] * 6
