"""The use case: transcribe a recording."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Final

from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Waveform
from inference_service.errors import NothingHeard
from inference_service.harmony.chord_segments import bridge_rests
from inference_service.harmony.octaves import mend_octaves
from inference_service.music.alternatives import combine
from inference_service.music.events import (
    NO_CHORD,
    ChordSegment,
    Key,
    NoteEvent,
    Part,
    Transcription,
)
from inference_service.music.lines import is_single_line
from inference_service.music.programs import GUITAR, PIANO, VOICE
from inference_service.pipeline.bleed import remove_bleed, remove_residue
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.stems import OnStems, forget
from inference_service.pipeline.stray import split_stray
from inference_service.progress import Progress, Report, Stage, within

OnPreset = Callable[[Preset], None]
"""Called with what a recording is taken for."""

VOCALS: Final = "vocals"

_VOCALS_SHARE: Final = 0.1
"""Share of the time for tagging a song that the vocals take."""
_SHOWN_SHARE: Final = 0.8
"""Share of the time for chords that those which are shown take."""

_LINES: Final = frozenset({Preset.VOICE, Preset.SOLO})
"""Presets of a single line."""

_UNSEPARATED: Final = frozenset({Preset.GUITAR, Preset.SOLO, Preset.ENSEMBLE})
"""Presets of instruments that are heard together."""

_LINE_PARTS: Final = 2
"""Largest number of parts into which separation divides a single line."""
_PLAYERS_SHARE: Final = 0.1
"""Parts with a smaller share of the notes do not count, as they are likely to be false."""


def ignore_preset(preset: Preset) -> None:
    """An ``OnPreset`` that does nothing."""


@dataclass
class _Clock:
    """Times the stages and reports their progress."""

    progress: Progress
    timings_s: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def stage(self, stage: Stage) -> Iterator[Report]:
        self.progress(stage, 0.0)
        start_s = time.perf_counter()
        yield lambda fraction: self.progress(stage, fraction)
        self.timings_s[stage] = time.perf_counter() - start_s
        self.progress(stage, 1.0)


def transcribe(
    waveform: Waveform,
    preset: Preset,
    stages: StageSet,
    progress: Progress,
    on_stems: OnStems = forget,
    on_preset: OnPreset = ignore_preset,
) -> Transcription:
    """Transcribe a recording.

    Parameters
    ----------
    waveform : Waveform
    preset : Preset
        ``AUTO`` is replaced by the router's choice.
    stages : StageSet
        The models to use.
    progress : Progress
        Called in each stage; raises ``Cancelled`` to stop.
    on_stems : OnStems
        Called with the stems of a song.
    on_preset : OnPreset
        Called with the router's choice in place of ``AUTO``.

    Raises
    ------
    Cancelled
        If ``progress`` raises it.
    NothingHeard
        If there is no note.
    """
    clock = _Clock(progress)
    with clock.stage(Stage.TUNING):
        tuning_cents = estimate_tuning(waveform)
    presets: Mapping[Preset, float] = {}
    if preset is Preset.AUTO:
        with clock.stage(Stage.ROUTING) as report:
            presets = stages.router.classify(waveform, stages.separation, report)
        preset = max(presets, key=presets.__getitem__)
        on_preset(preset)

    heard_parts, used = _hear_parts(waveform, preset, tuning_cents, stages, clock, on_stems)
    if not any(part.notes for part in heard_parts):
        raise NothingHeard("no note was heard in the recording")
    parts, stray_parts = split_stray(heard_parts, waveform.duration_s)
    notes = sorted(note for part in parts for note in part.notes if not part.is_drum)
    # One model's chords are shown; another's are the evidence that key and bars were fitted to.
    chords = progression = [ChordSegment(0.0, waveform.duration_s, NO_CHORD)]
    with clock.stage(Stage.CHORDS) as report:
        if preset not in _LINES and not _is_one_line(parts):  # their chords would be guesswork
            chords = stages.chords.estimate(waveform, within(report, 0.0, _SHOWN_SHARE))
            progression = stages.progression.estimate(waveform, within(report, _SHOWN_SHARE, 1.0))
            used += [Task.CHORDS, Task.PROGRESSION]
    with clock.stage(Stage.KEY):
        keys = stages.key.estimate(notes, progression, waveform)
        key = keys[0].key
        if preset is Preset.SONG:  # the singer's pitches follow from the band's key
            parts = [_settle(part, key, stages) if part.id == VOCALS else part for part in parts]
    with clock.stage(Stage.BEATS) as report:
        rhythm = None
        if _plays_freely(preset, parts):
            rhythm = stages.rhythm.estimate(notes, key, progression)
        if rhythm is None:
            rhythm = stages.beats.estimate(waveform, notes, progression, report)
            used.append(Task.BEATS)

    heard = Transcription(
        duration_s=waveform.duration_s,
        tuning_cents=tuning_cents,
        tempo_bpm=rhythm.tempo_bpm,
        time_signature=rhythm.time_signature,
        key=key,
        parts=tuple(parts),
        beats=rhythm.beats,
        chords=tuple(bridge_rests(chords, rhythm)),
        alternatives=combine(rhythm.readings, keys),
        slips=rhythm.slips,
        models={task: stages.models[task] for task in (*used, Task.RHYTHM, Task.KEY)},
        timings_s=clock.timings_s,
        preset=preset,
        presets={str(kind): probability for kind, probability in presets.items()},
        stray_parts=tuple(part.name for part in stray_parts),
    )
    return stages.rhythm.place(heard)


def _plays_freely(preset: Preset, parts: Sequence[Part]) -> bool:
    """Whether the beat need not be steady, so that it is read from the notes."""
    return preset is not Preset.SONG and not any(part.is_drum for part in parts)


def _is_one_line(parts: Sequence[Part]) -> bool:
    """Whether nothing but one line is heard, which separation may have divided between parts."""
    notes = [note for part in parts for note in part.notes if not part.is_drum]
    shares = [len(part.notes) / len(notes) for part in parts if notes and not part.is_drum]
    players = sum(share >= _PLAYERS_SHARE for share in shares)
    return 0 < players <= _LINE_PARTS and is_single_line(notes)


def _hear_parts(
    waveform: Waveform,
    preset: Preset,
    tuning_cents: float,
    stages: StageSet,
    clock: _Clock,
    on_stems: OnStems,
) -> tuple[list[Part], list[Task]]:
    """Return the parts for the preset, and the tasks whose models found them."""
    if preset is Preset.VOICE:
        with clock.stage(Stage.TAGGING) as report:
            notes = stages.voice.tag(stages.denoising.clean(waveform), tuning_cents, report)
        sung = _settle(_vocals(notes), None, stages)
        return [sung], [Task.DENOISING, Task.VOICE, Task.PITCH]
    if preset is Preset.PIANO:
        with clock.stage(Stage.TAGGING) as report:
            notes = stages.piano.tag(stages.denoising.clean(waveform), tuning_cents, report)
        return [Part("piano", "Piano", tuple(notes), PIANO)], [Task.DENOISING, Task.PIANO]
    if preset in _UNSEPARATED:
        with clock.stage(Stage.TAGGING) as report:
            players = stages.song.tag_players(waveform, tuning_cents, report)
        return _cast(preset, players), [Task.SONG]

    with clock.stage(Stage.SEPARATION) as report:
        stems = stages.separation.separate(waveform, report)
        on_stems(stems, lambda _: report(1.0))
    with clock.stage(Stage.TAGGING) as report:
        found = stages.voice.tag(stems["vocals"], tuning_cents, within(report, 0.0, _VOCALS_SHARE))
        vocals = mend_octaves(remove_residue(found, stems["vocals"], waveform))
        band = stages.song.tag_parts(
            {name: stem for name, stem in stems.items() if name != "vocals"},
            tuning_cents,
            within(report, _VOCALS_SHARE, 1.0),
        )
    # A voice in the accompaniment is bleed of the vocals.
    others = remove_bleed([part for part in band if part.id != "voice"], vocals)
    parts = [_vocals(vocals), *others]
    # An instrumental gets no empty staff for vocals.
    return [part for part in parts if part.notes], [
        Task.SEPARATION,
        Task.VOICE,
        Task.PITCH,
        Task.SONG,
    ]


def _cast(preset: Preset, players: Sequence[Part]) -> list[Part]:
    """Return the parts of the players that a preset expects: all of them, or one."""
    pitched = [part for part in players if not part.is_drum]
    if preset is Preset.ENSEMBLE or not pitched:
        return list(players)
    notes = tuple(sorted(note for part in pitched for note in part.notes))
    if preset is Preset.GUITAR:
        return [Part("guitar", "Guitar", notes, GUITAR)]
    leader = max(pitched, key=lambda part: len(part.notes))
    return [Part("solo", leader.name.rstrip(" 0123456789"), notes, leader.program)]


def _vocals(notes: list[NoteEvent]) -> Part:
    return Part(VOCALS, "Vocals", tuple(notes), VOICE)


def _settle(part: Part, key: Key | None, stages: StageSet) -> Part:
    """Return a singer's part at the pitches that were meant."""
    return replace(part, notes=tuple(stages.pitch.decode(part.notes, key)))
