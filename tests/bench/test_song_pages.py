"""Rendering songs whose page is known, and judging the pages of their melodies."""

from __future__ import annotations

import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import mido
import numpy as np
import pytest
import soundfile

pytest.importorskip("pyworld", reason="pyworld comes with the extra 'training'")

from inference_service.assembly import TINY, build_stages
from inference_service.music.metre import TimeSignature
from inference_service.settings import ModelSettings
from model_zoo.training.sound.speech import Bank, build_bank
from tests.bench import peers, song_pages, song_rendering
from tests.bench.melody_page import PageFigures, judge, read_reference
from tests.bench.song_pages import OURS, SYSTEMS, TARGETS, find_vocals, write_melody
from tests.bench.song_rendering import LONGEST_S, RATE_HZ, SOUNDFONTS, VOICES, render_song
from tests.bench.song_tunes import TUNES, Tune, load_tunes, read_sheet, read_song, repeat
from tests.bench.song_tunes import write_score as write_tune
from tests.bench.sung_pages import CHOOSING, REPORTED, Judged, find_half, import_page
from tests.bench.test_written import build_note

WALTZ = TimeSignature(3, 4)
TUNE = Tune(
    "waltz",
    WALTZ,
    onset_q=np.array([-1.0, 0.0, 2.0, 3.0]),
    duration_q=np.array([1.0, 2.0, 1.0, 2.0]),
    pitch=np.array([60, 64, 64, 67]),
    chords=((0.0, 0, (0, 4, 7)), (3.0, 7, (0, 4, 7))),
)
"""A pickup and two bars, the last of which leaves room for the next pickup."""

LILYPOND = r"\time 3/4 \partial 8*2 c4"


@pytest.fixture(scope="module")
def bank() -> Bank:
    """One speaker; skips where the song cannot be rendered."""
    missing = [name for name in ("espeak-ng", "fluidsynth") if shutil.which(name) is None]
    missing += [str(path) for path in SOUNDFONTS if not path.exists()]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return build_bank(VOICES[:1])


def build_song(pitches: tuple[int, ...], chords: tuple[tuple[int, ...], ...]) -> bytes:
    """A MIDI file in 3/4 with a chord a bar, and a melody in quarters."""
    file = mido.MidiFile(ticks_per_beat=384)
    file.tracks.append(mido.MidiTrack([mido.MetaMessage("time_signature", numerator=3)]))
    for ticks, struck in ((3 * 384, chords), (384, tuple((pitch,) for pitch in pitches))):
        track = mido.MidiTrack()
        for together in struck:
            track += [mido.Message("note_on", note=pitch) for pitch in together]
            track += [
                mido.Message("note_off", note=pitch, time=0 if index else ticks)
                for index, pitch in enumerate(together)
            ]
        file.tracks.append(track)
    written = io.BytesIO()
    file.save(file=written)
    return written.getvalue()


def test_verses_begin_with_their_pickups() -> None:
    twice = repeat(TUNE, 2)
    assert twice.onset_q.tolist() == [-1.0, 0.0, 2.0, 3.0, 5.0, 6.0, 8.0, 9.0]
    assert [chord[0] for chord in twice.chords] == [0.0, 3.0, 6.0, 9.0]
    complete = replace(TUNE, duration_q=np.array([1.0, 2.0, 1.0, 3.0]))
    assert repeat(complete, 2).onset_q[4] == 8.0  # a pickup needs another bar


@pytest.mark.parametrize(
    ("intro", "bars", "first"), [(0, [0.0, 1.0, 4.0], 0.0), (2, [0.0, 3.0, 6.0, 9.0], 5.0)]
)
def test_a_score_has_a_pickup_bar_or_an_introduction(
    intro: int, bars: list[float], first: float
) -> None:
    score, moved = write_tune(TUNE, intro)
    assert score.bar_start_q.tolist() == bars
    assert score.onset_q[0] == moved.onset_q[0] == first
    assert moved.chords[0][0] == first + 1.0


def test_songs_are_read_with_pickup_and_chords() -> None:
    midi = build_song((60, 62, 64, 65), ((48, 52, 55), (50, 53, 57, 60)))
    tune = read_song("song", midi, LILYPOND)
    assert tune.metre == WALTZ
    assert tune.pickup_q == 1.0
    assert tune.onset_q.tolist() == [-1.0, 0.0, 1.0, 2.0]
    assert tune.duration_q.tolist() == [1.0] * 4
    assert tune.chords == ((-1.0, 0, (0, 4, 7)), (2.0, 2, (0, 3, 7, 10)))


def test_hymns_keep_their_other_voices() -> None:
    time = "<time><beats>3</beats><beat-type>4</beat-type></time>"
    begin = f"<attributes><divisions>1</divisions>{time}</attributes>"
    chord = "<chord/>"
    lower = build_note("C", 1, chord=chord)
    bar = "".join(build_note(step, 1) + lower for step in "EGE")
    pickup = f"<measure>{begin}{build_note('E', 1)}{lower}</measure>"
    text = (
        f"<score-partwise><part>{pickup}{f'<measure>{bar}</measure>' * 4}</part></score-partwise>"
    )
    tune = read_sheet("hymn", text.encode())
    assert tune.pickup_q == 1.0
    assert tune.pitch[:4].tolist() == [64, 64, 67, 64]
    assert tune.others[:2].tolist() == [[-1.0, 0.0, 60.0], [0.0, 1.0, 60.0]]


@pytest.mark.parametrize("number", [0, 1])  # a band, and a guitar
def test_a_rendered_song_agrees_with_its_labels(bank: Bank, tmp_path: Path, number: int) -> None:
    song = render_song(TUNE, number, [], bank, tmp_path)
    samples, rate_hz = soundfile.read(song.audio)
    labels = np.loadtxt(song.labels, ndmin=2)
    page = json.loads(song.reference.read_text())
    assert rate_hz == RATE_HZ
    assert labels[-1, 1] < len(samples) / rate_hz < LONGEST_S + 2.0
    assert np.abs(samples).max() == pytest.approx(0.8, abs=0.01)
    assert [note["position_quarters"] for note in page["notes"]] == repeat(TUNE, 2).onset_q.tolist()
    judged = [note for note in page["notes"] if not note["slip"]]
    assert len(judged) >= 7
    octaves = [labels[note["label_index"], 2] - note["pitch"] for note in judged]
    assert np.ptp(octaves) < 1.0
    assert np.median(octaves) % 12 == pytest.approx(0.0, abs=0.3) or np.median(octaves) % 12 > 11.7
    before = song.audio.stat().st_mtime_ns
    assert render_song(TUNE, number, [], bank, tmp_path).audio.stat().st_mtime_ns == before


def test_a_song_is_the_same_each_time(bank: Bank, tmp_path: Path) -> None:
    first, second = (render_song(TUNE, 0, [], bank, tmp_path / name) for name in "ab")
    assert first.reference.read_text() == second.reference.read_text()
    assert np.array_equal(soundfile.read(first.audio)[0], soundfile.read(second.audio)[0])


def test_the_page_of_a_song_is_judged(bank: Bank, tmp_path: Path) -> None:
    song = render_song(TUNE, 3, [], bank, tmp_path)  # with a piano
    stages = build_stages(ModelSettings(profile=TINY))
    heard = song_pages.transcribe_song(song.audio.read_bytes(), stages)
    written = write_melody(heard)
    assert written.performed == find_vocals(heard)
    figures = judge(read_reference(song.reference, song.labels), written.page, written.performed)
    assert 0.0 < figures.heard <= 1.0
    if peers.find_musescore() is not None:
        assert import_page(heard, tmp_path).notes


def test_a_missing_soundfont_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(song_rendering, "SOUNDFONTS", (tmp_path / "absent.sf2",))
    with pytest.raises(FileNotFoundError, match=r"absent\.sf2"):
        render_song(TUNE, 0, [], (), tmp_path)


def test_there_are_forty_tunes_in_two_halves() -> None:
    names = [name for source in TUNES.values() for name in source]
    halves = [find_half(name) for name in names]
    assert len(set(names)) == 40
    assert (halves.count(CHOOSING), halves.count(REPORTED)) == (20, 20)


def test_every_tune_is_in_its_archive(data_dir: Path) -> None:
    tunes = list(load_tunes(data_dir / "symbolic"))
    assert sorted(tune.name for tune in tunes) == sorted(n for own in TUNES.values() for n in own)
    metres = {str(tune.metre) for tune in tunes}
    assert metres == {"2/4", "3/4", "4/4", "2/2", "6/8", "6/4"}
    assert sum(tune.pickup_q > 0 for tune in tunes) >= 12
    assert all(np.diff(tune.onset_q).min() > 0 for tune in tunes)


@pytest.mark.parametrize("is_installed", [False, True])
def test_the_section_has_both_halves_and_says_which_peer_is_missing(
    monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    right = PageFigures(1.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    pages = [
        Judged("1", "jingle_bells", right),
        Judged("2", "alle_jahre_wieder", PageFigures()),
    ]
    assert [find_half(page.exercise) for page in pages] == [CHOOSING, REPORTED]
    systems = SYSTEMS if is_installed else (OURS,)
    monkeypatch.setattr(song_pages, "render_songs", lambda data, cache: [])
    monkeypatch.setattr(song_pages, "measure", lambda songs, cache: dict.fromkeys(systems, pages))
    rows = list(song_pages.run(Path(), Path()))
    assert sum("skipped" in row.what for row in rows) == len(SYSTEMS) - len(systems)
    assert [row.measured for row in rows if "reported half" in row.what] == [0.0] * len(systems)
    assert sum(row.target is not None for row in rows) == len(TARGETS)
