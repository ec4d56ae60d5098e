"""The use case: the bytes of an audio file to a :class:`Transcription`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from inference_service.audio.decode import AudioLimits, decode
from inference_service.audio.tuning import estimate_tuning
from inference_service.audio.waveform import Waveform
from inference_service.music.events import NO_CHORD, ChordSegment, NoteEvent, Part, Transcription
from inference_service.music.programs import PIANO, VOICE
from inference_service.pipeline.bleed import remove_bleed, remove_residue
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import StageSet, Task
from inference_service.pipeline.stems import OnStems, forget
from inference_service.progress import Progress, Report, Stage


@dataclass
class _Clock:
    """Runs stages, reports their progress and keeps the seconds each took."""

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
    data: bytes,
    preset: Preset,
    stages: StageSet,
    limits: AudioLimits,
    progress: Progress,
    on_stems: OnStems = forget,
) -> Transcription:
    """Hear a recording.

    Parameters
    ----------
    data : bytes
        An audio or video file in any format that FFmpeg reads.
    preset : Preset
        ``AUTO`` decides by the sound.
    stages : StageSet
        The models to hear with.
    limits : AudioLimits
        Checked while decoding.
    progress : Progress
        Told of each stage; raises ``Cancelled`` to stop.
    on_stems : OnStems
        Given what a song was separated into.

    Raises
    ------
    AudioError
        If the file cannot be used.
    Cancelled
        If ``progress`` says so.
    """
    clock = _Clock(progress)
    with clock.stage(Stage.DECODE) as report:
        waveform = decode(data, limits, report)
    with clock.stage(Stage.TUNING):
        tuning_cents = estimate_tuning(waveform)
    if preset is Preset.AUTO:
        with clock.stage(Stage.ROUTING) as report:
            preset = stages.router.classify(waveform, report)

    parts, used = _hear_parts(waveform, preset, tuning_cents, stages, clock, on_stems)
    notes = sorted(note for part in parts for note in part.notes if not part.is_drum)
    with clock.stage(Stage.CHORDS) as report:
        if preset is Preset.VOICE:  # what an estimator names over a lone line is guesswork
            chords = [ChordSegment(0.0, waveform.duration_s, NO_CHORD)]
        else:
            chords = stages.chords.estimate(waveform, report)
            used.append(Task.CHORDS)
    with clock.stage(Stage.BEATS) as report:
        rhythm = None
        if preset is not Preset.SONG:  # who plays or sings alone needs no steady beat
            rhythm = stages.rhythm.estimate(notes)
        if rhythm is None:
            rhythm = stages.beats.estimate(waveform, notes, chords, report)
            used.append(Task.BEATS)
    with clock.stage(Stage.KEY):
        key = stages.key.estimate(notes, chords)

    heard = Transcription(
        duration_s=waveform.duration_s,
        tuning_cents=tuning_cents,
        tempo_bpm=rhythm.tempo_bpm,
        time_signature=rhythm.time_signature,
        key=key,
        parts=tuple(parts),
        beats=rhythm.beats,
        chords=tuple(chords),
        models={task: stages.models[task] for task in (*used, Task.RHYTHM, Task.KEY)},
        timings_s=clock.timings_s,
        preset=preset,
    )
    return stages.rhythm.place(heard)


def _hear_parts(
    waveform: Waveform,
    preset: Preset,
    tuning_cents: float,
    stages: StageSet,
    clock: _Clock,
    on_stems: OnStems,
) -> tuple[list[Part], list[Task]]:
    """Return the parts that the preset asks for, and the tasks whose models found them."""
    if preset is Preset.VOICE:
        with clock.stage(Stage.TAGGING) as report:
            notes = stages.voice.tag(stages.denoising.clean(waveform), tuning_cents, report)
        return [_vocals(notes)], [Task.DENOISING, Task.VOICE]
    if preset is Preset.PIANO:
        with clock.stage(Stage.TAGGING) as report:
            notes = stages.piano.tag(stages.denoising.clean(waveform), tuning_cents, report)
        return [Part("piano", "Piano", tuple(notes), PIANO)], [Task.DENOISING, Task.PIANO]

    with clock.stage(Stage.SEPARATION) as report:
        stems = stages.separation.separate(waveform, report)
        on_stems(stems, lambda _: report(1.0))
    with clock.stage(Stage.TAGGING) as report:
        found = stages.voice.tag(stems["vocals"], tuning_cents, lambda f: report(f / 2))
        vocals = remove_residue(found, stems["vocals"], waveform)
        band = stages.song.tag_parts(
            {name: stem for name, stem in stems.items() if name != "vocals"},
            tuning_cents,
            lambda f: report(0.5 + f / 2),
        )
    # Singers that are heard beside the vocals are what separation left of these.
    players = remove_bleed([part for part in band if part.id != "voice"], vocals)
    parts = [_vocals(vocals), *players]
    # An instrumental has no vocals, and needs no empty staff for them.
    return [part for part in parts if part.notes] or parts[:1], [
        Task.SEPARATION,
        Task.VOICE,
        Task.SONG,
    ]


def _vocals(notes: list[NoteEvent]) -> Part:
    return Part("vocals", "Vocals", tuple(notes), VOICE)
