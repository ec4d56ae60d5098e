"""Piano rolls: what is drawn where, and that any performance fits a chat's picture."""

from __future__ import annotations

import random
import re
from dataclasses import replace
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from inference_service.music.events import ChordSegment, Key, NoteEvent, Part, Transcription
from inference_service.notation.engrave import rasterize
from inference_service.notation.fonts import TEXT_FAMILY, text_width
from inference_service.notation.roll import MAX_HEIGHT_PX, WIDTH_PX, draw_roll
from tests.factories import perform
from tests.unit.notation.test_engrave import assert_sendable, size_px

SONG = perform(
    {
        "vocals": [(k, 0.9, 60 + k) for k in range(16)],
        "piano": [(4 * k, 4.0, 48) for k in range(4)],
        "drums": [(k / 2, 0.1, 36 if k % 2 else 42) for k in range(32)],
    },
    key=Key("G", "minor"),
    chords=[(0, 4, "G:min7"), (4, 12, "Bb:maj/3"), (12, 16, "N")],
)
_PATH = re.compile(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)")


def test_the_bars_of_an_excerpt_have_their_numbers() -> None:
    notes = [(k, 1, 60) for k in range(4, 12)]
    drawn = draw_roll(perform({"piano": notes}), "", 5)
    assert [f">{number}<" in drawn for number in (5, 6, 7, 8)] == [False, True, True, False]


def texts(svg: str) -> list[str]:
    return [e.text or "" for e in ElementTree.fromstring(svg).iter() if e.tag.endswith("text")]


def notes(svg: str) -> dict[str, list[tuple[float, float, float]]]:
    """Return left edge, top and width of the shapes in each colour."""
    found: dict[str, list[tuple[float, float, float]]] = {}
    for element in ElementTree.fromstring(svg).iter():
        if element.get("fill-opacity"):
            places = [tuple(map(float, m[:3])) for m in _PATH.findall(element.get("d", ""))]
            found.setdefault(element.get("fill", ""), []).extend(sorted(places))  # type: ignore[arg-type]
    return found


def test_words_are_those_of_the_music() -> None:
    written = texts(draw_roll(SONG, "Песня & more"))
    assert {"Песня & more", "Vocals", "Piano", "Drums"} <= set(written)
    assert {"Gm7", "B♭/D", "C4", "C3", "1", "4"} <= set(written)
    assert "Gm · 4/4 · 120 bpm" in written
    assert "N.C." not in written


def test_notes_stand_on_their_beats_and_pitches() -> None:
    (vocals, piano, drums) = notes(draw_roll(SONG)).values()
    lefts = [left for left, _, _ in vocals]
    steps = [b - a for a, b in pairwise(lefts)]
    assert max(steps) - min(steps) < 0.5, "beats are equally wide"
    tops = [top for _, top, _ in vocals]
    assert tops == sorted(tops, reverse=True)
    assert len(piano) == 4
    assert piano[0][2] == pytest.approx(4 * steps[0], abs=2)
    assert len(drums) == 32
    assert min(top for _, top, _ in drums) > max(top for _, top, _ in piano)


def test_time_is_as_performed() -> None:
    late = replace(SONG.parts[0].notes[4], onset_s=SONG.parts[0].notes[4].onset_s + 0.1)
    changed = (*SONG.parts[0].notes[:4], late, *SONG.parts[0].notes[5:])
    rubato = replace(SONG, parts=(replace(SONG.parts[0], notes=changed), *SONG.parts[1:]))
    (before, *_), (after, *_) = (notes(draw_roll(t)).values() for t in (SONG, rubato))
    beat_px = before[1][0] - before[0][0]
    assert after[4][0] - before[4][0] == pytest.approx(0.2 * beat_px, abs=0.5)


def test_loud_notes_are_stronger() -> None:
    quiet, loud = NoteEvent(0.0, 1.0, 60, 10), NoteEvent(1.0, 2.0, 62, 127)
    part = Part("piano", "Piano", (quiet, loud), 0)
    root = ElementTree.fromstring(draw_roll(replace(SONG, parts=(part,))))
    opacities = [float(e.get("fill-opacity", 0)) for e in root.iter() if e.get("fill-opacity")]
    assert sorted(opacities) == [pytest.approx(0.4, abs=0.13), 1.0]


def test_chord_names_do_not_touch() -> None:
    chords = [(k, k + 1, f"{'CDEFGAB'[k % 7]}#:hdim7/b3") for k in range(48)]
    svg = draw_roll(perform({"piano": [(k, 1, 60) for k in range(48)]}, chords=chords))
    by_line: dict[float, list[tuple[float, float]]] = {}
    for element in ElementTree.fromstring(svg).iter():
        if element.text and "m7♭5" in element.text:
            size = float(element.get("font-size", 0))
            x, width = float(element.get("x", 0)), text_width(element.text, size, is_bold=True)
            by_line.setdefault(float(element.get("y", 0)), []).append((x, x + width))
    assert sum(map(len, by_line.values())) >= 24
    for line in by_line.values():
        assert all(end < start for (_, end), (start, _) in pairwise(sorted(line)))
        assert max(end for _, end in line) <= WIDTH_PX


def test_a_chord_that_ends_just_after_a_row_is_not_on_the_next() -> None:
    notes_ = [(k, 1, 60) for k in range(32)]
    song = perform({"piano": notes_}, chords=[(0, 16, "C:maj"), (16, 32, "F:maj")])
    ragged = (ChordSegment(0.0, 8.05, "C:maj"), ChordSegment(8.05, 16.0, "F:maj"))
    assert texts(draw_roll(replace(song, chords=ragged))).count("C") == 1


def test_long_pieces_keep_a_shape_for_a_chat() -> None:
    generator = random.Random(1)
    played = [(k / 2, 0.5, generator.randint(36, 96)) for k in range(2400)]
    ten_minutes = perform({"piano": played}, chords=[(4 * k, 4 * k + 4, "G:7") for k in range(300)])
    png = rasterize(draw_roll(ten_minutes, "Ten minutes"))
    width, height = size_px(png)
    assert width == WIDTH_PX
    assert 1200 < height <= MAX_HEIGHT_PX + 1
    assert_sendable(png)


GENERATOR = random.Random(2)
ANYTHING: dict[str, dict[str, list[tuple[float, float, int]]]] = {
    "nothing": {},
    "an empty part": {"vocals": []},
    "one note": {"vocals": [(1.0, 1.0, 60)]},
    "only drums": {"drums": [(k / 2, 0.1, 35 + k % 40) for k in range(32)]},
    "every pitch": {"piano": [(k / 8, 1.0, k) for k in range(128)]},
    "twenty parts": {f"part {k} {'x' * 40}": [(k, 4.0, 36 + 2 * k)] for k in range(20)},
    "5,000 notes in a minute": {
        "piano": [(GENERATOR.uniform(0, 120), 1, GENERATOR.randint(0, 127)) for _ in range(5000)]
    },
    "three hours": {"piano": [(20.0 * k, 1.0, 60) for k in range(1000)]},
}


@pytest.mark.parametrize("signature", ["4/4", "6/8", "1/4"])
@pytest.mark.parametrize("name", ANYTHING)
def test_anything_becomes_a_picture(name: str, signature: str) -> None:
    transcription = perform(ANYTHING[name], time_signature=signature, pickup_beats=0)
    svg = draw_roll(transcription, "x" * 200)
    assert set(re.findall(r'font-family="([^"]+)"', svg)) == {TEXT_FAMILY}
    assert_sendable(rasterize(svg))


def test_no_beats_are_a_steady_grid() -> None:
    silent: Transcription = replace(SONG, beats=())
    assert "4" in texts(draw_roll(silent))
