"""Conversion of the corpora to songs."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest

from inference_service.music.events import Key
from inference_service.music.score import KeyChange, ScoreNote, TimeChange
from model_zoo.training.continuation.corpora import (
    SPLITS,
    Split,
    read_corpus,
    split_pop909,
    split_work,
)
from model_zoo.training.continuation.leadsheets import write_leadsheet
from model_zoo.training.continuation.lieder import (
    follow_keys,
    list_lieder,
    name_numeral,
    parse_analysis,
    write_lied,
)
from model_zoo.training.continuation.pop909 import write_pop909
from model_zoo.training.continuation.song import Song, one_at_a_time
from model_zoo.training.continuation.written import WrittenBar, find_stretch, list_bars, snap
from tests.unit.model_zoo.training.continuation.archives import (
    BEAT_S,
    MELODY,
    harmony,
    meter,
    pack,
    pop_song,
    sheet,
)
from tests.unit.model_zoo.training.rhythm.pieces import note as written
from tests.unit.model_zoo.training.rhythm.pieces import parse, write


def note(start: float, duration: float, pitch: int) -> ScoreNote:
    return ScoreNote(Fraction(start), Fraction(duration), pitch)


def test_a_melody_is_one_note_at_a_time() -> None:
    notes = [note(0, 2, 60), note(0, 1, 64), note(0.5, 1, 62), note(4, 0, 70), note(4, 1, 65)]
    assert one_at_a_time(notes) == (note(0, 0.5, 64), note(0.5, 1, 62), note(4, 1, 65))
    assert one_at_a_time([]) == ()


# POP909


def test_a_pop_song_is_written_in_its_bars(tmp_path: Path) -> None:
    song = write_pop909(pack(tmp_path / "pop909.zip", pop_song()), 1)
    assert song is not None
    assert (song.name, song.corpus) == ("pop909-001", "pop909")
    assert (song.score.time_signature, song.score.key) == ("4/4", Key("C", "major"))
    assert (song.score.pickup_beats, song.score.time_changes) == (0, ())
    assert len(song.score.bars()) == 20
    assert [(int(c.start_beats), c.label) for c in song.score.chords[:5]] == [
        (0, "C:maj"),
        (4, "A:min"),
        (8, "F:maj"),
        (12, "G:7"),
        (16, "C:maj"),
    ]
    assert [n.start_beats for n in song.melody[:3]] == [4, Fraction(9, 2), 5]
    assert [n.pitch for n in song.melody[:8]] == list(MELODY)


def test_bars_begin_where_the_recording_has_them(tmp_path: Path) -> None:
    song = write_pop909(pack(tmp_path / "pop909.zip", pop_song(late_beats=2)), 1)
    assert song is not None
    assert {c.start_beats % 4 for c in song.score.chords} == {0}


def test_a_waltz_is_counted_in_three(tmp_path: Path) -> None:
    song = write_pop909(pack(tmp_path / "pop909.zip", pop_song(bar_beats=3)), 1)
    assert song is not None
    assert song.score.time_signature == "3/4"
    assert {c.start_beats % 3 for c in song.score.chords} == {0}


def test_keys_change_at_bar_lines(tmp_path: Path) -> None:
    keys = [
        (0.4, "C:maj"),
        (31 * BEAT_S, "Db:maj"),
        (48 * BEAT_S, "Db:maj"),
        (57 * BEAT_S, "B:min"),
    ]
    song = write_pop909(pack(tmp_path / "pop909.zip", pop_song(keys=keys)), 1)
    assert song is not None
    assert song.score.key == Key("C", "major")
    assert song.score.key_changes == (
        KeyChange(32, Key("Db", "major")),
        KeyChange(56, Key("B", "minor")),
    )
    assert all(c.label.count(":") == 1 and c.label[0].isalpha() for c in song.score.chords)


def test_broken_songs_are_left_out(tmp_path: Path) -> None:
    songs = pop_song("001", bars=10) | pop_song("002", chords=()) | pop_song("003", chords=("N",))
    archive = pack(tmp_path / "pop909.zip", songs)
    assert [write_pop909(archive, number) for number in (1, 2, 3)] == [None, None, None]


def test_pop909_is_split_by_number(tmp_path: Path) -> None:
    splits = [split_pop909(number) for number in (1, 650, 651, 700, 701, 800)]
    assert splits == ["train", "train", "dev", "dev", "test", "test"]
    pack(tmp_path / "pop909.zip", pop_song("001") | pop_song("002", bars=8))
    assert [song.name for song in read_corpus("pop909", tmp_path, "train")] == ["pop909-001"]
    assert list(read_corpus("pop909", tmp_path, "test")) == []


def test_songs_are_kept(tmp_path: Path) -> None:
    archive = pack(tmp_path / "pop909.zip", pop_song("001") | pop_song("002"))
    songs = list(read_corpus("pop909", tmp_path, "train", tmp_path / "kept"))
    (kept,) = (tmp_path / "kept").iterdir()
    written_at = kept.stat().st_mtime_ns
    assert list(read_corpus("pop909", tmp_path, "train", tmp_path / "kept")) == songs
    assert kept.stat().st_mtime_ns == written_at
    pack(archive, pop_song("001"))
    assert len(list(read_corpus("pop909", tmp_path, "train", tmp_path / "kept"))) == 1


# Written music


def test_places_of_melodies_are_quarters_and_thirds() -> None:
    places = [snap(beat) for beat in (-0.3, 0.1, 0.9, 1.3, 2.65, 3.8)]
    assert places == [Fraction(n, d) for n, d in ((-1, 3), (0, 1), (1, 1), (4, 3), (8, 3), (15, 4))]


def test_cut_time_is_counted_in_four_and_divided_bars_are_one() -> None:
    bars = list_bars(
        parse(
            [meter(2, 2) + written("C4", 8), written("C4", 2), written("C4", 6), written("C4", 8)]
        )
    )
    assert [(bar.start_q, bar.length_q, bar.beats, bar.unit) for bar in bars] == [
        (0.0, 4.0, 4, 4),
        (4.0, 4.0, 4, 4),
        (8.0, 4.0, 4, 4),
    ]


def test_the_longest_stretch_of_one_unit_is_kept() -> None:
    def bar(number: int, length_q: float, beats: int = 4, unit: int = 4) -> WrittenBar:
        return WrittenBar(number, 0.0, length_q, beats, unit)

    pickup, full, other = bar(0, 1.5), bar(1, 4.0), bar(2, 3.0, 6, 8)
    assert find_stretch([pickup, full, full, other, other]) == [pickup, full, full]
    assert find_stretch([pickup, full, other, other, other]) == [other, other, other]
    assert find_stretch([full, bar(3, 3.7), full, full]) == [full, full]
    assert find_stretch([full, bar(3, 3.0), full]) == [full, bar(3, 3.0), full]
    assert find_stretch([]) == []


# OpenEWLD


def lead(tmp_path: Path, text: bytes) -> Song | None:
    archive = pack(tmp_path / "openewld.zip", {"dataset/A-B/A_Song/A_Song.xml": text})
    return write_leadsheet(archive, "dataset/A-B/A_Song/A_Song.xml")


def test_a_lead_sheet_is_written_down(tmp_path: Path) -> None:
    song = lead(tmp_path, sheet(fifths=-1, pickup=True))
    assert song is not None
    assert song.corpus == "openewld"
    assert (song.score.key, song.score.pickup_beats) == (Key("F", "major"), 1)
    assert [bar.number for bar in song.score.bars()] == list(range(21))
    assert [(c.start_beats, c.label) for c in song.score.chords[:3]] == [
        (0, "F:maj"),
        (4, "Bb:maj"),
        (8, "C:7"),
    ]
    assert [(n.start_beats, n.duration_beats, n.pitch) for n in song.melody[:4]] == [
        (-1, 1, 60),
        (0, Fraction(3, 2), 65),
        (Fraction(3, 2), Fraction(1, 2), 69),
        (2, 2, 65),
    ]


def test_a_lost_signature_is_found(tmp_path: Path) -> None:
    song = lead(tmp_path, sheet(fifths=1))
    assert song is not None
    assert song.score.key == Key("F", "major")


def test_the_last_chord_tells_minor_from_major(tmp_path: Path) -> None:
    song = lead(tmp_path, sheet(fifths=-1, last=("D", "minor")))
    assert song is not None
    assert song.score.key == Key("D", "minor")


def test_broken_sheets_are_left_out(tmp_path: Path) -> None:
    chromatic = write(
        [meter(4, 4) + harmony("C", "major") + written("C4", 4) + written("Db4", 4)] * 20
    )
    assert lead(tmp_path, sheet(10)) is None
    assert lead(tmp_path, chromatic) is None
    assert lead(tmp_path, write([meter(4, 4) + written("C4", 8)] * 20)) is None
    assert lead(tmp_path, write([meter(4, 4) + written("R", 8)] * 20)) is None


# Lieder


@pytest.mark.parametrize(
    ("figure", "tonic", "mode", "label"),
    [
        ("I", 0, "major", "C:maj"),
        ("V65", 2, "major", "A:7/3"),
        ("iiø7", 9, "minor", "B:hdim7"),
        ("viio7/V", 0, "major", "F#:dim7"),
        ("VI", 9, "minor", "F:maj"),
        ("Cad64", 7, "minor", "G:min/5"),
        ("N6", 4, "minor", "F:maj/3"),
        ("Ger65", 0, "minor", "Ab:7"),
        ("It6", 0, "major", "Ab:(1,3,b7)"),
        ("I/III", 0, "major", "E:maj"),
        ("?", 0, "major", None),
    ],
)
def test_numerals_are_chords(figure: str, tonic: int, mode: str, label: str | None) -> None:
    assert name_numeral(figure, tonic, "minor" if mode == "minor" else "major") == label


def test_analyses_have_keys_and_beats() -> None:
    text = """Composer: Nobody
        Time Signature: 6/8

        m0 b2.667 A: V
        m1 I bnan ii b2 f#: V7 b2.333
        I
        Time Signature: 4/4
        m2 i"""
    numerals = [
        (n.measure, n.beat, n.signature, n.tonic, n.mode, n.figure) for n in parse_analysis(text)
    ]
    assert numerals == [
        (0, 2.667, (6, 8), 9, "major", "V"),
        (1, 1.0, (6, 8), 9, "major", "I"),
        (1, 2.0, (6, 8), 6, "minor", "V7"),
        (2, 1.0, (4, 4), 6, "minor", "i"),
    ]


def lied(
    tmp_path: Path, analysis: str, *, bars: int = 20, first: int = 1, time: tuple[int, int] = (4, 4)
) -> Song | None:
    """A voice and a piano that hold a note and a chord to the bar."""
    length = 8 * time[0] // time[1]
    voice = [written("R", length), *[written("E5", length)] * (bars - 1)]
    piano = [
        written("C4", length) + written("G4", length, chord=True) + written("C3", length, staff=2)
    ] * bars
    text = write(
        [meter(*time) + voice[0], *voice[1:]], [meter(*time, staves=2) + piano[0], *piano[1:]]
    )
    for number in range(bars):  # of both parts' measures
        text = text.replace(b"<measure>", f'<measure number="{first + number}">'.encode(), 1)
    part, other = text.split(b'<part id="P1">')
    for number in range(bars):
        other = other.replace(b"<measure>", f'<measure number="{first + number}">'.encode(), 1)
    folder = "scores/Nobody,_N./Songs/1_Der_Mond"
    archive = pack(
        tmp_path / "openscore_lieder.zip",
        {
            f"{folder}/lc1.musicxml": part + b'<part id="P1">' + other,
            f"{folder}/analysis_automatic.rntxt": analysis,
            "scores/Nobody,_N./Songs/2_Ohne/lc2.musicxml": part,
        },
    )
    ((score, numerals),) = list_lieder(archive)
    return write_lied(archive, score, numerals)


def test_a_lied_is_written_down(tmp_path: Path) -> None:
    song = lied(tmp_path, "Time Signature: 4/4\nm1 C: I b3 V7\nm2 I\nm99 V")
    assert song is not None
    assert song.corpus == "lieder"
    assert [(c.start_beats, c.label) for c in song.score.chords] == [
        (0, "C:maj"),
        (2, "G:7"),
        (4, "C:maj"),
    ]
    assert [(part.id, part.staves) for part in song.score.parts] == [("melody", 1), ("part2", 2)]
    assert song.melody[0].start_beats == 4
    assert (song.score.key, song.score.key_changes) == (Key("C", "major"), ())


def test_chords_go_to_the_nearest_beats(tmp_path: Path) -> None:
    analysis = "Time Signature: 4/4\nm1 C: I b2.333 V b3.5 vi\nm2 IV b1.5 ii b4.5 V\nm3 I"
    song = lied(tmp_path, analysis)
    assert song is not None
    assert [(c.start_beats, c.label) for c in song.score.chords] == [
        (0, "C:maj"),
        (1, "G:maj"),
        (3, "A:min"),
        (4, "F:maj"),
        (5, "D:min"),
        (8, "C:maj"),
    ]


def test_measures_counted_from_nought_are_found(tmp_path: Path) -> None:
    song = lied(tmp_path, "m0 C: I\nm1 V")
    assert song is not None
    assert [c.start_beats for c in song.score.chords] == [0, 4]


def test_compound_beats_are_dotted(tmp_path: Path) -> None:
    song = lied(tmp_path, "Time Signature: 6/8\nm1 C: I b2 V b2.667 I", time=(6, 8))
    assert song is not None
    assert [(c.start_beats, c.label) for c in song.score.chords] == [
        (0, "C:maj"),
        (3, "G:maj"),
        (5, "C:maj"),
    ]


def test_a_lied_without_analysis_is_left_out(tmp_path: Path) -> None:
    assert lied(tmp_path, "m1 C: ?\nm2 ??") is None
    assert lied(tmp_path, "m1 C: I", bars=12) is None


def test_keys_that_pass_are_not_in_force() -> None:
    lines = ["m1 C: I", "m5 G: V7", "m6 C: I", "m9 d: i", "m12 F: I", "m15 Bb: I"]
    lines += ["m16 d: i", "m18 d: V"]
    numerals = parse_analysis("\n".join(lines))
    bars = [WrittenBar(number, 4.0 * number, 4.0, 4, 4) for number in range(20)]
    placed = [(4.0 * (numeral.measure - 1), numeral) for numeral in numerals]
    assert follow_keys(placed, bars) == [(0.0, Key("C", "major")), (32.0, Key("D", "minor"))]


def test_time_changes_are_kept(tmp_path: Path) -> None:
    bars = [meter(4, 4) + harmony("C", "major") + written("C4", 8), *[written("E4", 8)] * 9]
    bars += [meter(3, 4) + written("G4", 6), *[written("C4", 6)] * 9]
    song = lead(tmp_path, write(bars))
    assert song is not None
    assert song.score.time_changes == (TimeChange(40, 3),)


# Parts


def test_compositions_are_split_by_name() -> None:
    assert split_work("Der_Mond") == split_work("der mond (live)")
    counts = dict.fromkeys(SPLITS, 0)
    for number in range(1000):
        split: Split = split_work(f"a song called {'x' * number}")
        counts[split] += 1
    assert 60 < counts["dev"] < 140
    assert 60 < counts["test"] < 140
