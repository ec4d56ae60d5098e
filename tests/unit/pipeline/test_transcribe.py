"""Transcription with small stages: which stages run on which input, and the result."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from inference_service.assembly import build_stages
from inference_service.audio.waveform import Waveform
from inference_service.errors import Cancelled, NothingHeard
from inference_service.music.events import (
    Beat,
    ChordSegment,
    Key,
    KeyEstimate,
    NoteEvent,
    Part,
    Rhythm,
    Transcription,
)
from inference_service.music.placement import NotePlacement
from inference_service.music.serialization import decode_transcription, encode_transcription
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.transcribe import transcribe
from inference_service.progress import Report, Stage
from inference_service.settings import ModelSettings
from inference_service.tiny import ScaleKeyEstimator, SteadyBeatEstimator
from tests.factories import RATE_HZ, build_notes, build_scale


class FixedTagger:
    """Always finds the same notes."""

    def __init__(self, *notes: NoteEvent) -> None:
        self._notes = notes

    def tag(self, waveform: Waveform, tuning_cents: float, report: Report) -> list[NoteEvent]:
        """Return the notes."""
        return list(self._notes)

    def tag_parts(
        self, stems: Mapping[str, Waveform], tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the notes as an organ's, and a part of a singer."""
        singer = Part("voice", "Voice", (NoteEvent(0.0, 1.0, 72),), 52)
        return (Part("organ", "Organ", self._notes, 16), singer) if self._notes else ()

    def tag_players(
        self, waveform: Waveform, tuning_cents: float, report: Report
    ) -> tuple[Part, ...]:
        """Return the notes as a violin's, and one of them as a flute's, with a drum."""
        return (
            Part("strings-1", "Strings 1", self._notes, 48),
            Part("winds", "Winds", (NoteEvent(4.0, 5.0, 76),), 73),
            Part("drums", "Drums", (NoteEvent(0.0, 0.1, 36),), None, is_drum=True),
        )


class WaltzReader:
    """Always returns a metre of three beats, and places every note as a quarter on the first."""

    def estimate(
        self, notes: Sequence[NoteEvent], key: Key, chords: Sequence[ChordSegment] = ()
    ) -> Rhythm | None:
        """Return three beats per second."""
        return Rhythm(tuple(Beat(k / 3, k % 3 + 1) for k in range(12)), 180.0, "3/4")

    def place(self, transcription: Transcription) -> Transcription:
        """Place every note as a quarter."""
        place = NotePlacement(Fraction(0), Fraction(1))
        placements = tuple((place,) * len(part.notes) for part in transcription.parts)
        return replace(transcription, placements=placements)


CHORDS = [NoteEvent(k, k + 1.0, pitch) for k in range(4) for pitch in (60, 64, 67)]


@pytest.fixture(scope="module")
def stages() -> StageSet:
    return build_stages(ModelSettings(profile="tiny"))


@pytest.fixture(scope="module")
def melody() -> Waveform:
    return build_notes(build_scale())


@pytest.fixture(scope="module")
def duet() -> Waveform:
    left = build_notes(build_scale()).mono()
    right = build_notes(build_scale((48, 50, 52, 53, 55, 57, 59, 60))).mono()
    return Waveform(np.stack([left, right]), RATE_HZ)


def ignore(stage: Stage, fraction: float) -> None:
    """Ignore progress."""


def hear(waveform: Waveform, preset: Preset, stages: StageSet) -> Transcription:
    return transcribe(waveform, preset, stages, ignore)


def test_a_voice_becomes_one_part(stages: StageSet, melody: Waveform) -> None:
    result = hear(melody, Preset.VOICE, stages)
    assert [part.id for part in result.parts] == ["vocals"]
    assert [note.pitch for note in result.parts[0].notes] == [60, 62, 64, 65, 67, 69, 71, 72]
    assert {chord.label for chord in result.chords} == {"N"}
    assert (result.key.tonic, result.key.mode) == ("C", "major")
    assert result.duration_s == pytest.approx(4.28, abs=0.05)


def test_a_piano_becomes_one_part(stages: StageSet, melody: Waveform) -> None:
    result = hear(melody, Preset.PIANO, stages)
    assert [(part.id, part.program) for part in result.parts] == [("piano", 0)]


def test_a_guitar_and_a_soloist_have_one_part(stages: StageSet, melody: Waveform) -> None:
    players = replace(stages, song=FixedTagger(*CHORDS))
    [guitar] = hear(melody, Preset.GUITAR, players).parts
    assert (guitar.id, guitar.program) == ("guitar", 24)
    assert len(guitar.notes) == len(CHORDS) + 1
    result = hear(melody, Preset.SOLO, players)
    [soloist] = result.parts
    assert (soloist.name, soloist.program) == ("Strings", 48)
    assert {chord.label for chord in result.chords} == {"N"}


def test_an_ensemble_has_a_part_for_each_player(stages: StageSet, melody: Waveform) -> None:
    result = hear(melody, Preset.ENSEMBLE, replace(stages, song=FixedTagger(*CHORDS)))
    assert [part.id for part in result.parts] == ["strings-1", "winds", "drums"]
    assert Task.SEPARATION not in result.models
    assert Task.SONG in result.models


def test_the_beat_of_drums_is_read_from_the_sound(stages: StageSet, melody: Waveform) -> None:
    tagger = FixedTagger(*CHORDS)
    band = replace(stages, song=tagger, piano=tagger, rhythm=WaltzReader())
    assert hear(melody, Preset.ENSEMBLE, band).time_signature != "3/4"
    assert hear(melody, Preset.PIANO, band).time_signature == "3/4"


def test_a_song_becomes_vocals_and_the_band_that_is_heard_beside_them(
    stages: StageSet, duet: Waveform
) -> None:
    band = replace(stages, song=FixedTagger(NoteEvent(0.0, 1.0, 48)))
    vocals, organ = hear(duet, Preset.SONG, band).parts
    assert (vocals.id, organ.id) == ("vocals", "organ")
    assert vocals.notes
    assert [note.pitch for note in organ.notes] == [48]


def test_an_instrumental_has_no_empty_staff(stages: StageSet, duet: Waveform) -> None:
    instrumental = replace(stages, voice=FixedTagger(), song=FixedTagger(NoteEvent(0.0, 1.0, 60)))
    result = hear(duet, Preset.SONG, instrumental)
    assert [part.id for part in result.parts] == ["organ"]


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.PIANO, Preset.SONG])
def test_a_recording_in_which_no_note_is_heard_is_refused(
    stages: StageSet, duet: Waveform, preset: Preset
) -> None:
    silent = FixedTagger()
    deaf = replace(stages, voice=silent, piano=silent, song=silent)
    with pytest.raises(NothingHeard):
        hear(duet, preset, deaf)


def test_a_part_of_a_few_stray_notes_is_left_out_and_named(
    stages: StageSet, duet: Waveform
) -> None:
    many = [NoteEvent(k / 50, k / 50 + 0.3, 48 + k % 12) for k in range(200)]
    stray = replace(stages, voice=FixedTagger(NoteEvent(1.0, 1.2, 90)), song=FixedTagger(*many))
    result = hear(duet, Preset.SONG, stray)
    assert [part.id for part in result.parts] == ["organ"]
    assert result.stray_parts == ("Vocals",)
    assert decode_transcription(encode_transcription(result)).stray_parts == ("Vocals",)


@pytest.mark.parametrize(
    ("preset", "tasks"),
    [
        (Preset.VOICE, {Task.DENOISING, Task.VOICE, Task.PITCH}),
        (Preset.PIANO, {Task.DENOISING, Task.PIANO, Task.CHORDS, Task.PROGRESSION}),
        (
            Preset.SONG,
            {Task.SEPARATION, Task.VOICE, Task.PITCH, Task.SONG, Task.CHORDS, Task.PROGRESSION},
        ),
    ],
)
def test_the_result_names_the_models_that_were_used(
    stages: StageSet, duet: Waveform, preset: Preset, tasks: set[Task]
) -> None:
    chords = FixedTagger(*CHORDS)
    result = hear(duet, preset, replace(stages, piano=chords, song=chords))
    assert set(result.models) == tasks | {Task.BEATS, Task.RHYTHM, Task.KEY}
    assert all("@" in model for model in result.models.values())


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.SONG])
def test_singers_are_written_at_the_pitches_that_were_meant(
    stages: StageSet, duet: Waveform, preset: Preset
) -> None:
    """A song's key is known when its singer is read; a lone voice's is not."""
    keys: list[Key | None] = []

    class Higher:
        def decode(self, notes: Sequence[NoteEvent], key: Key | None) -> list[NoteEvent]:
            keys.append(key)
            return [replace(note, pitch=note.pitch + 1) for note in notes]

    as_sung = hear(duet, preset, stages)
    meant = hear(duet, preset, replace(stages, pitch=Higher()))
    for before, after in zip(as_sung.parts, meant.parts, strict=True):
        raised = int(after.id == "vocals")
        assert [n.pitch + raised for n in before.notes] == [n.pitch for n in after.notes]
    assert keys == [as_sung.key if preset is Preset.SONG else None]


@pytest.mark.parametrize("preset", [Preset.VOICE, Preset.PIANO])
def test_who_plays_alone_gets_the_rhythm_of_the_notes(
    stages: StageSet, melody: Waveform, preset: Preset
) -> None:
    result = hear(melody, preset, replace(stages, rhythm=WaltzReader()))
    assert (result.time_signature, result.tempo_bpm) == ("3/4", 180.0)
    assert Task.RHYTHM in result.models
    assert Task.BEATS not in result.models


def test_a_song_keeps_the_beats_of_its_sound(stages: StageSet, duet: Waveform) -> None:
    result = hear(duet, Preset.SONG, replace(stages, rhythm=WaltzReader()))
    assert result.time_signature == "4/4"
    assert {Task.BEATS, Task.RHYTHM} <= set(result.models)


def test_every_note_has_a_placement(stages: StageSet, duet: Waveform) -> None:
    result = hear(duet, Preset.SONG, replace(stages, rhythm=WaltzReader()))
    assert [len(placed) for placed in result.placements] == [len(p.notes) for p in result.parts]


@pytest.mark.parametrize(("sound", "preset"), [("melody", Preset.VOICE), ("duet", Preset.SONG)])
def test_auto_asks_the_router(
    stages: StageSet, sound: str, preset: Preset, request: pytest.FixtureRequest
) -> None:
    result = hear(request.getfixturevalue(sound), Preset.AUTO, stages)
    assert result.preset == preset
    assert Stage.ROUTING in result.timings_s


def test_stages_are_reported_in_order(stages: StageSet, duet: Waveform) -> None:
    reports: list[tuple[Stage, float]] = []
    transcribe(duet, Preset.AUTO, stages, lambda *report: reports.append(report))
    order = list(dict.fromkeys(stage for stage, _ in reports))
    assert order == [stage for stage in Stage if stage in order]
    for stage in order:
        fractions = [fraction for reported, fraction in reports if reported is stage]
        assert fractions == sorted(fractions)
        assert (fractions[0], fractions[-1]) == (0.0, 1.0)


@pytest.mark.parametrize("last", [Stage.TUNING, Stage.TAGGING, Stage.CHORDS, Stage.BEATS])
def test_cancelling_stops_it_wherever_it_is(stages: StageSet, duet: Waveform, last: Stage) -> None:
    with pytest.raises(Cancelled):
        transcribe(duet, Preset.SONG, stages, _cancel_at(last))


def _cancel_at(last: Stage) -> Callable[[Stage, float], None]:
    def progress(stage: Stage, fraction: float) -> None:
        if stage is last:
            raise Cancelled("enough")

    return progress


def test_a_lone_instrument_has_no_chords_of_its_own_notes(
    stages: StageSet, melody: Waveform
) -> None:
    line = [NoteEvent(k / 2, k / 2 + 0.6, 60 + 2 * k) for k in range(8)]
    guitar = replace(stages, voice=FixedTagger(), song=FixedTagger(*line))
    band = replace(stages, voice=FixedTagger(), song=FixedTagger(*CHORDS))
    alone, together = (hear(melody, Preset.SONG, heard) for heard in (guitar, band))
    assert {chord.label for chord in alone.chords} == {"N"}
    assert Task.CHORDS not in alone.models
    assert Task.CHORDS in together.models


class Names:
    """Names two chords, the second from ``change_s`` on."""

    def __init__(self, change_s: float) -> None:
        self._change_s = change_s

    def estimate(self, waveform: Waveform, report: Report) -> list[ChordSegment]:
        """Return both."""
        return [
            ChordSegment(0.0, self._change_s, "C:maj"),
            ChordSegment(self._change_s, waveform.duration_s, "G:7"),
        ]


def test_one_model_names_the_chords_and_another_gives_evidence_for_key_and_beats(
    stages: StageSet, duet: Waveform
) -> None:
    given: list[Sequence[ChordSegment]] = []

    class Beats(SteadyBeatEstimator):
        def estimate(
            self,
            waveform: Waveform,
            notes: Sequence[NoteEvent],
            chords: Sequence[ChordSegment],
            report: Report,
        ) -> Rhythm:
            given.append(chords)
            return super().estimate(waveform, notes, chords, report)

    class Keys(ScaleKeyEstimator):
        def estimate(
            self,
            notes: Sequence[NoteEvent],
            chords: Sequence[ChordSegment],
            waveform: Waveform | None = None,
        ) -> list[KeyEstimate]:
            given.append(chords)
            return super().estimate(notes, chords, waveform)

    band = replace(
        stages,
        song=FixedTagger(*CHORDS),
        chords=Names(1.0),
        progression=Names(2.0),
        beats=Beats(),
        key=Keys(),
    )
    result = hear(duet, Preset.SONG, band)
    assert [chord.start_s for chord in result.chords] == [0.0, 1.0]
    assert [[chord.start_s for chord in chords] for chords in given] == [[0.0, 2.0]] * 2
