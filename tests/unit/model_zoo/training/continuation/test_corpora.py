"""Songs of the corpora, written down."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from inference_service.music.events import Key
from inference_service.music.score import KeyChange, ScoreNote
from model_zoo.training.continuation.corpora import read_corpus, split_pop909
from model_zoo.training.continuation.pop909 import write_pop909
from model_zoo.training.continuation.song import one_at_a_time
from tests.unit.model_zoo.training.continuation.archives import BEAT_S, MELODY, pack, pop_song


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
