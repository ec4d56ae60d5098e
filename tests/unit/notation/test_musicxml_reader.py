"""Reading MusicXML: our own files round-trip, and hostile input is refused."""

from __future__ import annotations

import contextlib
import io
import random
import time
import zipfile
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest
from music21 import common, converter

from inference_service.errors import ScoreUnreadable
from inference_service.music.events import Key
from inference_service.music.pitch import pitch_class
from inference_service.music.score import (
    KeyChange,
    Score,
    ScoreChord,
    ScoreMark,
    ScoreNote,
    ScorePart,
    TimeChange,
)
from inference_service.notation import musicxml_reader
from inference_service.notation.arrange import arrange
from inference_service.notation.musicxml import encode_musicxml
from inference_service.notation.musicxml_reader import decode_musicxml
from inference_service.notation.quantize import quantize
from inference_service.notation.views import View
from tests.unit.model_zoo.training.rhythm.pieces import attributes, grace, note, write
from tests.unit.notation.test_musicxml import PERFORMANCES

CORPUS = Path(str(common.getCorpusFilePath()))
TWO_FOUR = "<time><beats>2</beats><beat-type>4</beat-type></time>"
SIX_EIGHT = "<time><beats>6</beats><beat-type>8</beat-type></time>"
WHOLE = note("C4", 8)


def starts(score: Score, part: int = 0) -> list[tuple[float, float, int]]:
    """Return the starts, durations and pitches of the notes of a part."""
    notes = score.parts[part].notes
    return [(float(n.start_beats), float(n.duration_beats), n.pitch) for n in notes]


def lengths(score: Score) -> list[int]:
    return [int(bar.length_beats) for bar in score.bars()]


def assert_same(read: Score, written: Score) -> None:
    """Compare what the page shows; numbers of voices and ``settled`` may differ."""
    for name in ("title", "time_signature", "key", "pickup_beats", "time_changes", "key_changes",
                 "swing", "marks"):  # fmt: skip
        assert getattr(read, name) == getattr(written, name), name
    assert read.tempo_bpm == pytest.approx(written.tempo_bpm, abs=1.5)
    assert read.bars() == written.bars()
    assert [spelt(chord) for chord in read.chords] == [spelt(chord) for chord in written.chords]
    for part, other in zip(read.parts, written.parts, strict=True):
        assert replace(part, notes=()) == replace(other, notes=())
        assert [plain(n) for n in part.notes] == [plain(n) for n in other.notes]


def plain(written: ScoreNote) -> ScoreNote:
    return replace(written, velocity=80, voice=1, arpeggio=False, settled=True)


def spelt(chord: ScoreChord) -> tuple[Fraction, int | None, str]:
    """Return a chord with its root as a pitch class, since a page spells it in the key."""
    root, _, rest = chord.label.partition(":")
    return chord.start_beats, pitch_class(root) if root != "N" else None, rest


# Round trips


@pytest.mark.parametrize("view", [View.FULL, View.LEAD_SHEET, View.PIANO])
@pytest.mark.parametrize("name", PERFORMANCES)
def test_small_performances_come_back(name: str, view: View) -> None:
    written = arrange(quantize(PERFORMANCES[name][0], name), view)
    assert_same(decode_musicxml(encode_musicxml(written)), written)


def test_a_full_score_survives_a_round_trip() -> None:
    upper = [ScoreNote(Fraction(k, 2), Fraction(1, 2), 60 + k % 7) for k in range(-2, 40)]
    lower = [ScoreNote(Fraction(4 * k), Fraction(4), 40 + k, staff=2) for k in range(4)]
    small = [ScoreNote(Fraction(2), Fraction(0), 70 + k, grace=k) for k in (1, 2)]
    drums = [ScoreNote(Fraction(k), Fraction(1), key) for k in range(20) for key in (36, 42)]
    written = Score(
        title="Всё сразу",
        tempo_bpm=96.0,
        time_signature="4/4",
        key=Key("A", "minor"),
        parts=(
            ScorePart("piano", "Piano", tuple(sorted([*upper, *lower, *small])), 0, staves=2),
            ScorePart("drums", "Drums", tuple(sorted(drums)), None, is_drum=True),
        ),
        chords=(
            ScoreChord(Fraction(-1), "A:min7/b7"),
            ScoreChord(Fraction(2), "F#:hdim7"),
            ScoreChord(Fraction(8), "N"),
            ScoreChord(Fraction(12), "E:7"),
        ),
        pickup_beats=Fraction(1),
        time_changes=(TimeChange(8, 3), TimeChange(14, 4)),
        key_changes=(KeyChange(8, Key("F#", "minor")),),
        swing=True,
        marks=(ScoreMark(Fraction(0), "A"), ScoreMark(Fraction(8), "Notabot")),
    )
    assert_same(decode_musicxml(encode_musicxml(written)), written)


def test_a_rolled_chord_comes_back() -> None:
    chord = tuple(ScoreNote(Fraction(0), Fraction(4), p, arpeggio=True) for p in (60, 64, 67))
    parts = (ScorePart("harp", "Harp", chord, 46),)
    written = Score("", 120.0, "4/4", Key("C", "major"), parts, ())
    assert all(n.arpeggio for n in decode_musicxml(encode_musicxml(written)).parts[0].notes)


# Files of other programs


@pytest.mark.parametrize(
    ("name", "parts", "bars", "signature", "key"),
    [
        ("bach/bwv66.6.mxl", 4, 10, "4/4", Key("F#", "minor")),
        ("bach/bwv269.mxl", 4, 29, "3/4", Key("G", "major")),
        ("schumann_robert/opus41no1/movement3.mxl", 4, None, "4/4", Key("C", "major")),
        ("mozart/k156/movement2.mxl", 4, None, "4/4", Key("E", "minor")),
    ],
)
def test_scores_by_others(
    name: str, parts: int, bars: int | None, signature: str, key: Key
) -> None:
    score = decode_musicxml((CORPUS / name).read_bytes())
    assert len(score.parts) == parts
    assert score.time_signature == signature
    assert score.key == key
    if bars is not None:
        assert len(score.bars()) == bars
    full = arrange(score, View.FULL)
    assert_same(replace(decode_musicxml(encode_musicxml(full)), key=full.key), full)


@pytest.mark.parametrize("name", ["bach/bwv269.mxl", "bach/bwv66.6.mxl", "bach/bwv13.6.mxl"])
def test_notes_sound_where_music21_has_them(name: str) -> None:
    reference = converter.parse(CORPUS / name, forceSource=True)
    expected = [
        (float(sounding.offset), sounding.pitch.midi)
        for part in reference.expandRepeats().parts
        for sounding in part.stripTies().flatten().notes
    ]
    score = decode_musicxml((CORPUS / name).read_bytes())
    found = [(float(n.start_beats + score.pickup_beats), n.pitch)
             for part in score.parts for n in part.notes]  # fmt: skip
    assert sorted(found) == sorted(expected)


def test_a_compressed_file_is_read_by_its_container() -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("other.xml", "<nothing/>")
        files.writestr("scores/a.musicxml", write([attributes() + WHOLE]))
        files.writestr(
            "META-INF/container.xml",
            '<container><rootfiles><rootfile full-path="scores/a.musicxml"/></rootfiles>'
            "</container>",
        )
    assert starts(decode_musicxml(packed.getvalue())) == [(0, 4, 60)]


def test_names_programs_and_drums() -> None:
    listed = (
        '<part-list><score-part id="P0"><part-name> Solo\n Violin</part-name>'
        '<midi-instrument id="I0"><midi-program>41</midi-program></midi-instrument></score-part>'
        '<score-part id="P1"><part-name>Drumset</part-name>'
        '<midi-instrument id="I1"><midi-channel>10</midi-channel>'
        "<midi-unpitched>52</midi-unpitched></midi-instrument></score-part></part-list>"
    )
    struck = (
        "<note><unpitched><display-step>G</display-step><display-octave>5</display-octave>"
        "</unpitched><duration>4</duration>{}<notehead>x</notehead></note>"
    )
    drums = attributes() + struck.format("") + struck.format('<instrument id="I1"/>')
    text = write([attributes() + WHOLE], [drums]).decode()
    score = decode_musicxml(text.replace("<score-partwise>", "<score-partwise>" + listed).encode())
    violin, drumset = score.parts
    assert (violin.id, violin.name, violin.program) == ("solo-violin", "Solo Violin", 40)
    assert (drumset.id, drumset.is_drum, drumset.program) == ("drumset", True, None)
    assert [n.pitch for n in drumset.notes] == [42, 51]


def test_parts_without_names_have_identities() -> None:
    score = decode_musicxml(write([attributes() + WHOLE], [attributes() + WHOLE]))
    assert [(part.id, part.name) for part in score.parts] == [
        ("piano", "Piano"),
        ("piano-2", "Piano"),
    ]


def test_repeats_and_endings_are_played() -> None:
    again = '<barline><repeat direction="backward"/></barline>'
    one, two = (
        f'<barline location="left"><ending number="{k}" type="start"/></barline>' for k in "12"
    )
    score = decode_musicxml(
        write([
            attributes() + note("C4", 8),
            one + note("D4", 8) + again,
            two + note("E4", 8),
            note("F4", 8),
        ])
    )  # fmt: skip
    assert [pitch for _, _, pitch in starts(score)] == [60, 62, 60, 64, 65]


def test_a_da_capo_is_followed_to_the_fine() -> None:
    fine, capo = '<sound fine="yes"/>', '<direction><sound dacapo="yes"/></direction>'
    score = decode_musicxml(write([attributes() + note("C4", 8) + fine, note("D4", 8) + capo]))
    assert [pitch for _, _, pitch in starts(score)] == [60, 62, 60]


def test_a_bar_in_two_halves_around_a_repeat_is_one() -> None:
    score = decode_musicxml(
        write([
            attributes() + note("G4", 2),
            note("C5", 8),
            note("D5", 6) + '<barline><repeat direction="backward"/></barline>',
            note("A4", 2),
            note("E5", 8),
        ])
    )  # fmt: skip
    assert score.pickup_beats == 1
    assert lengths(score) == [1, 4, 4, 4, 4, 4]
    assert starts(score)[:6] == [
        (-1, 1, 67), (0, 4, 72), (4, 3, 74), (7, 1, 67), (8, 4, 72), (12, 3, 74),
    ]  # fmt: skip


def test_a_short_bar_is_its_own_and_a_long_one_is_cut() -> None:
    score = decode_musicxml(
        write([attributes() + note("C4", 8), note("D4", 4), note("E4", 8), note("F4", 40)])
    )
    assert score.time_changes == (TimeChange(4, 2), TimeChange(6, 4))
    assert lengths(score) == [4, 2, 4, 4, 4, 4, 4, 4]


def test_metres_of_several_values_share_one() -> None:
    four, six = attributes() + WHOLE, attributes(SIX_EIGHT) + note("D4", 6)
    score = decode_musicxml(write([four, six, four]))
    assert (score.time_signature, score.time_changes) == (
        "4/4",
        (TimeChange(4, 3), TimeChange(7, 4)),
    )
    five = attributes(SIX_EIGHT.replace(">6<", ">5<")) + note("D4", 5)
    score = decode_musicxml(write([four, five, four]))
    assert (score.time_signature, score.time_changes) == (
        "8/8",
        (TimeChange(8, 5), TimeChange(13, 8)),
    )


def test_the_key_of_a_transposing_part_is_the_one_that_sounds() -> None:
    clarinet = "<transpose><chromatic>-2</chromatic></transpose>"
    chord = "<harmony><root><root-step>D</root-step></root><kind>major</kind></harmony>"
    score = decode_musicxml(write([attributes(fifths=2, more=clarinet) + chord + note("D4", 8)]))
    assert score.key == Key("C", "major")
    assert starts(score) == [(0, 4, 60)]
    assert score.chords == (ScoreChord(Fraction(0), "C:maj"),)


def test_a_signature_without_a_mode_is_the_notes() -> None:
    minor = attributes() + note("A4", 2) + note("C5", 2) + note("E5", 2) + note("A3", 2)
    major = attributes() + note("C5", 2) + note("E5", 2) + note("G5", 2) + note("C4", 2)
    assert decode_musicxml(write([minor])).key == Key("A", "minor")
    assert decode_musicxml(write([major])).key == Key("C", "major")
    with_mode = write([minor]).replace(b"</fifths>", b"</fifths><mode>minor</mode>")
    assert decode_musicxml(with_mode).key == Key("A", "minor")


def test_chord_symbols_are_written_where_they_change() -> None:
    def symbol(step: str, kind: str, more: str = "") -> str:
        root = f"<root><root-step>{step}</root-step></root>"
        return f"<harmony>{root}<kind>{kind}</kind>{more}</harmony>"

    bass = "<bass><bass-step>E</bass-step></bass>"
    ninth = (
        "<degree><degree-value>9</degree-value><degree-alter>-1</degree-alter>"
        "<degree-type>add</degree-type></degree>"
    )
    score = decode_musicxml(
        write([
            attributes() + symbol("C", "major") + note("C4", 4) + symbol("C", "major", bass)
            + note("D4", 4),
            symbol("G", "dominant", ninth) + WHOLE,
            symbol("G", "dominant", ninth) + WHOLE,
            symbol("C", "none") + WHOLE,
        ])
    )  # fmt: skip
    assert [(float(c.start_beats), c.label) for c in score.chords] == [
        (0, "C:maj"), (2, "C:maj/3"), (4, "G:7(b9)"), (12, "N"),
    ]  # fmt: skip


def test_the_chord_in_force_comes_back_with_the_repeat() -> None:
    def symbol(step: str) -> str:
        return f"<harmony><root><root-step>{step}</root-step></root><kind>major</kind></harmony>"

    opens = '<barline location="left"><repeat direction="forward"/></barline>'
    closes = '<barline><repeat direction="backward"/></barline>'
    score = decode_musicxml(
        write([attributes() + symbol("C") + WHOLE, opens + WHOLE, symbol("G") + WHOLE + closes])
    )
    labels = [(float(c.start_beats), c.label) for c in score.chords]
    assert labels == [(0, "C:maj"), (8, "G:maj"), (12, "C:maj"), (16, "G:maj")]


def test_ties_are_joined_and_graces_numbered() -> None:
    score = decode_musicxml(
        write([
            attributes() + note("R", 4) + note("C4", 4, inside='<tie type="start"/>'),
            note("C4", 2, inside='<tie type="stop"/>') + grace("D4") + grace("E4") + note("F4", 6),
        ])
    )  # fmt: skip
    assert starts(score) == [(2, 3, 60), (5, 0, 62), (5, 0, 64), (5, 3, 65)]
    assert [n.grace for n in score.parts[0].notes] == [0, 1, 2, 0]


def test_quintuplets_are_rounded_to_places_that_a_page_shows() -> None:
    five = "".join(note("C4", 2) for _ in range(5)) + note("D4", 30)
    text = write([attributes() + five]).replace(b"<divisions>2<", b"<divisions>10<")
    score = decode_musicxml(text)
    places = [n.start_beats for n in score.parts[0].notes]
    assert places == [0, Fraction(1, 4), Fraction(3, 8), Fraction(5, 8), Fraction(3, 4), 1]


def test_a_rounded_triplet_is_one() -> None:
    third = note("C4", 85) * 2 + note("C4", 86) + note("D4", 768)
    text = write([attributes() + third]).replace(b"<divisions>2<", b"<divisions>256<")
    places = [n.start_beats for n in decode_musicxml(text).parts[0].notes]
    assert places == [0, Fraction(1, 3), Fraction(2, 3), 1]


def test_the_tempo_is_the_one_that_sounds_or_else_the_one_that_is_written() -> None:
    metronome = (
        "<direction><direction-type><metronome><beat-unit>quarter</beat-unit><beat-unit-dot/>"
        "<per-minute>c. 60</per-minute></metronome></direction-type>{}</direction>"
    )
    six = attributes(SIX_EIGHT)
    written = decode_musicxml(write([six + metronome.format("") + note("C4", 6)]))
    sounding = metronome.format('<sound tempo="100"/>')
    assert written.tempo_bpm == pytest.approx(180)
    assert decode_musicxml(write([six + sounding + note("C4", 6)])).tempo_bpm == pytest.approx(200)
    assert decode_musicxml(write([attributes() + WHOLE])).tempo_bpm == 120


def test_three_staves_are_two_and_four_voices_too() -> None:
    low = "<backup><duration>8</duration></backup>" + note("C2", 8, staff=3)
    voices = "".join(
        "<backup><duration>8</duration></backup>"
        + note(name, 8).replace("<staff>", f"<voice>{k}</voice><staff>")
        for k, name in enumerate(("E4", "G4", "B4"), start=2)
    )
    (part,) = decode_musicxml(write([attributes(staves=3) + WHOLE + voices + low])).parts
    assert part.staves == 2
    assert {(n.pitch, n.staff, n.voice) for n in part.notes} == {
        (60, 1, 1), (64, 1, 2), (67, 1, 2), (71, 1, 2), (36, 2, 1),
    }  # fmt: skip


# Hostile input


def zipped(name: str, data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as files:
        files.writestr(name, data)
    return packed.getvalue()


ENTITIES = (
    '<!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<score-partwise><part><measure><note>&b;</note></measure></part></score-partwise>"
)
OUTSIDE = (
    '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    "<score-partwise><part>&a;</part></score-partwise>"
)
HUGE = "9" * 5000


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK",
        b"PK\x03\x04 and so on",
        b"MThd\x00\x00",
        b"<html></html>",
        b"<score-timewise/>",
        b"<score-partwise/>",
        ENTITIES.encode(),
        ENTITIES.encode("utf-16"),
        OUTSIDE.encode(),
        b"<a>" * 100_000,
        zipped("a.txt", b"no score"),
        zipped("a.xml", b"<score-partwise>"),
        zipped("a.xml", write([attributes() + WHOLE]), zipfile.ZIP_LZMA),
        write([attributes() + note("C4", 8).replace("4</octave>", f"{HUGE}</octave>")]),
        write([attributes() + note("C4", 8).replace("<step>C", "<step>H")]),
        write([attributes().replace("<divisions>2", "<divisions>0") + WHOLE]),
        write([attributes() + note("C4", 99999999)]),
        write([attributes(TWO_FOUR.replace(">2<", ">0<")) + WHOLE]),
        write([attributes(TWO_FOUR.replace(">4<", ">7<")) + WHOLE]),
        write([attributes(TWO_FOUR.replace(">2<", ">999<")) + WHOLE]),
        write([attributes(TWO_FOUR.replace(">2<", f">{HUGE}<")) + WHOLE]),
    ],
)
def test_what_is_not_a_score_is_refused(data: bytes) -> None:
    with pytest.raises(ScoreUnreadable):
        decode_musicxml(data)


@pytest.mark.parametrize(
    ("limit", "value"),
    [
        ("MAX_BYTES", 100),
        ("MAX_ELEMENTS", 10),
        ("MAX_NOTES", 1),
        ("MAX_MEASURES", 1),
        ("MAX_PARTS", 1),
        ("MAX_BARS", 1),
        ("MAX_BAR_QUARTERS", 3),
    ],
)
def test_more_than_the_limits_is_refused(
    limit: str, value: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = [attributes() + WHOLE, WHOLE]
    decode_musicxml(write(part, part))
    monkeypatch.setattr(musicxml_reader, limit, value)
    with pytest.raises(ScoreUnreadable):
        decode_musicxml(write(part, part))


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped("a.xml", b" " * 50_000_000)
    assert len(bomb) < 100_000
    with pytest.raises(ScoreUnreadable, match="unpacked"):
        decode_musicxml(bomb)


def test_repeats_of_repeats_end_soon() -> None:
    both = (
        '<barline location="left"><repeat direction="forward"/><ending number="1,2,3,4,5,6,7" '
        'type="start"/></barline>{}<barline><repeat direction="backward" times="99"/></barline>'
    )
    begun = time.monotonic()
    with pytest.raises(ScoreUnreadable, match="bars"):
        decode_musicxml(write([attributes() + WHOLE, *[both.format(WHOLE)] * 3_000]))
    assert time.monotonic() - begun < 20


def test_damaged_files_are_read_or_refused_but_nothing_else() -> None:
    generator = random.Random(0)
    whole = encode_musicxml(arrange(quantize(PERFORMANCES["two_hands"][0], ""), View.FULL))
    digits = [k for k, byte in enumerate(whole) if chr(byte).isdigit()]
    for _ in range(200):
        damaged = bytearray(whole)
        for _ in range(generator.randint(1, 4)):
            damaged[generator.choice(digits)] = generator.choice(b"0123456789-")
        if generator.random() < 0.2:
            del damaged[generator.randrange(len(damaged)) :]
        with contextlib.suppress(ScoreUnreadable):
            decode_musicxml(bytes(damaged))
