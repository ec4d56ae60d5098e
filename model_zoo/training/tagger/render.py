"""Renders a scene to a :class:`Take`: chooses a sound for each track, plays it, and mixes."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import mido
import numpy as np
from numpy.random import Generator

from inference_service.music.families import FAMILIES, family_of
from inference_service.music.programs import SINGERS
from inference_service.tagger.notes.network import DRUMS
from model_zoo.training.sound.banks import BANKS, Bank
from model_zoo.training.sound.damage import draw_curve, shape
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.sound.kits import draw_kit, load_kit
from model_zoo.training.sound.midi import TICKS_PER_S, Event, encode_track
from model_zoo.training.sound.sampler import Instrument, load_instrument
from model_zoo.training.sound.singing import sing
from model_zoo.training.sound.soundfonts import draw_soundfont, synthesise
from model_zoo.training.sound.speech import BANK
from model_zoo.training.tagger.scene import Scene, Track, fit
from model_zoo.training.tagger.take import (
    FAMILY,
    OFFSET,
    ONSET,
    Labels,
    Take,
    centre_velocities,
    end_at_repeats,
    hold_by_pedal,
    mix,
)

KITS: Final = (0, 0, 0, 8, 16, 24, 25, 32, 40)
"""General MIDI's drum kits by program; a kit named three times is drawn three times as often."""

TAIL_S: Final = 2.0
SUNG_SHARE: Final = 0.9
SAMPLED_SHARE: Final = 0.45
KIT_SHARE: Final = 0.6
"""Probability that a vocal part is sung, that a part with a bank of samples is played by it, and
that drums are played by a sampled kit; otherwise a soundfont plays."""

VARIED_SHARE: Final = 0.3
"""Probability that a part is given to another instrument of its family."""

COLOURED_SHARE: Final = 0.6
STRETCHED_SHARE: Final = 0.4
STRETCH_SEMITONES: Final = 4
"""Probability that a track is filtered; probability that a soundfont's instrument plays the samples
of other pitches, which makes it sound smaller or larger, and by how many semitones at most. The
fifth run of experiment 004 introduced them together with loss weights for soloists."""

EXPRESSIVE_SHARE: Final = 0.6
EXPRESSIVE_FAMILIES: Final = ("strings", "voice", "brass", "winds")
VIBRATO_HZ: Final = (4.5, 6.8)
VIBRATO_CENTS: Final = (0.0, 35.0)
SWELL_DB: Final = 8.0
"""Probability that a line is played with vibrato and swells, and how much: samples of bowed strings
and winds sound the same on every note."""

OVERLAP_S: Final = 0.1
OVERLAP_SHARE: Final = 0.05
"""Share of the notes of a line that may overlap the next one by more than this."""

_COARSE_TUNING: Final = ((101, 0), (100, 2))
"""Controllers that select MIDI's registered parameter 2, coarse tuning."""

_PITCHED: Final = tuple(program for program in range(104) if program not in (47, 55))
"""General MIDI programs up to the synthesisers, without timpani and orchestra hits."""

_RELATIVES: Final = {
    family: tuple(program for program in _PITCHED if family_of(program) == family)
    for family in FAMILIES
    if family not in ("piano", "voice")
}

_SOUNDS: Final[dict[str, tuple[int, ...]]] = {
    "kick": (35, 36),
    "snare": (38, 40),
    "closed hat": (42, 44),
    "open hat": (46,),
    "tom": (41, 43, 45, 47, 48, 50),
    "crash": (49, 52, 55, 57),
    "ride": (51, 53, 59),
}
DRUM_INDEX: Final = {key: DRUMS.index(name) for name, keys in _SOUNDS.items() for key in keys}
"""Index of the network's percussion sound by General MIDI key; all other keys are "other"."""


def render(scene: Scene, random: Generator, soundfont: Path | None = None) -> Take:
    """Render a scene, each track on a sound drawn at random.

    Voices are sung, other tracks are played by samples or by a soundfont; some tracks are given to
    another instrument of the family, and most are filtered. If a soundfont is given, it plays
    everything as written.

    Raises
    ------
    ValueError
        If the result is silent, or a pitch is outside MIDI's range.
    FileNotFoundError
        If no soundfont is installed.
    """
    if soundfont is None:
        tracks = [vary(track, random) for track in scene.tracks]
        takes = [_play(track, scene.length_s, random) for track in tracks]
        takes = [_colour(_express(take, random), random) for take in takes]
    else:
        takes = [_by_soundfont(scene.tracks, soundfont, random)]
    take = mix([_cut_off(take, scene.length_s + TAIL_S) for take in takes],
               [_draw_gain(take, random) for take in takes])  # fmt: skip
    peak = float(np.abs(take.samples).max()) if len(take.samples) else 0.0
    if peak < 1e-3:
        raise ValueError(f"{scene.name}: silent")
    notes = centre_velocities(take.notes)
    samples = take.samples * np.float32(0.5 / peak)
    return Take(samples, notes, take.drums, scene.beats, scene.chords, scene.key)


def vary(track: Track, random: Generator) -> Track:
    """Give a part to another instrument of its family, at random, and move it into its range."""
    others = _RELATIVES.get(family_of(track.program), ())
    if track.is_drum or not others or random.random() > VARIED_SHARE:
        return track
    varied = fit(replace(track, program=int(random.choice(others))))
    return varied if len(varied.notes) else track


def _play(track: Track, length_s: float, random: Generator) -> Take:
    """Play a track on a sound drawn from those that suit it."""
    if track.is_drum:
        kit = _draw_kit(random)
        if kit is not None:
            return _by_kit(track, kit, length_s, random)
        return _by_soundfont([track], draw_soundfont(random), random)
    if track.program in SINGERS and _can_sing() and random.random() < SUNG_SHARE:
        return _by_singer(track, random)
    if (bank := _draw_bank(track.program, random)) is not None:
        return _by_samples(track, bank, length_s, random)
    stretch = 0
    if random.random() < STRETCHED_SHARE:
        stretch = int(random.integers(-STRETCH_SEMITONES, STRETCH_SEMITONES + 1))
    return _by_soundfont([track], draw_soundfont(random, [track.program]), random, stretch)


def _express(take: Take, random: Generator) -> Take:
    """Add vibrato, and swells of loudness, to the notes of a line that can have them.

    Vibrato is a periodic change of the reading speed, so that it does not move onsets by more than
    a millisecond or two. Chords are left alone.
    """
    notes = take.notes
    able = [FAMILIES.index(family) for family in EXPRESSIVE_FAMILIES]
    is_line = len(notes) and bool(np.isin(notes[:, FAMILY], able).all())
    if not is_line or not _is_single(notes) or random.random() > EXPRESSIVE_SHARE:
        return take
    size = len(take.samples)
    rate_hz, depth = random.uniform(*VIBRATO_HZ), random.uniform(*VIBRATO_CENTS) / 1200 * np.log(2)
    swell_db = random.uniform(0.0, SWELL_DB)
    shift, gain_db = np.zeros(size), np.zeros(size)
    for onset_s, offset_s in notes[:, [ONSET, OFFSET]]:
        first, last = (min(round(time_s * RATE_HZ), size) for time_s in (onset_s, offset_s))
        if last - first < 0.15 * RATE_HZ:
            continue
        time_s = np.arange(last - first) / RATE_HZ
        window = np.sin(np.pi * np.arange(last - first) / (last - first))
        rate = rate_hz * random.uniform(0.92, 1.08)
        speed = depth * random.uniform(0.4, 1.2) / (2 * np.pi * rate) * RATE_HZ
        shift[first:last] = speed * np.sqrt(window) * np.sin(2 * np.pi * rate * time_s)
        gain_db[first:last] = swell_db * random.uniform(-0.3, 1.0) * window
    samples = np.interp(np.arange(size) + shift, np.arange(size), take.samples)
    return replace(take, samples=(samples * 10 ** (gain_db / 20)).astype(np.float32))


def _is_single(notes: Labels) -> bool:
    """Return whether hardly any notes overlap."""
    overlaps = np.count_nonzero(notes[1:, ONSET] < notes[:-1, OFFSET] - OVERLAP_S)
    return bool(overlaps < OVERLAP_SHARE * len(notes))


def _colour(take: Take, random: Generator) -> Take:
    """Filter a track by a random smooth curve, to imitate other instruments and microphones."""
    if not len(take.samples) or random.random() > COLOURED_SHARE:
        return take
    curve = draw_curve(random, float(random.uniform(3.0, 10.0)), int(random.integers(3, 9)))
    return replace(take, samples=shape(take.samples, curve))


def _draw_gain(take: Take, random: Generator) -> float:
    """Return the gain that gives a track a common loudness within a few decibels."""
    level = float(np.sqrt(np.mean(np.square(take.samples)))) if len(take.samples) else 0.0
    return 0.05 * 10 ** (random.uniform(-7, 5) / 20) / max(level, 1e-4)


def _cut_off(take: Take, length_s: float) -> Take:
    """Return a take cut off at a length."""
    notes = take.notes[take.notes[:, ONSET] < length_s].copy()
    notes[:, OFFSET] = np.minimum(notes[:, OFFSET], length_s)
    return Take(take.samples[: round(length_s * RATE_HZ)], notes, take.drums)


@cache
def _can_sing() -> bool:
    """Return whether the singers' syllables and pyworld are installed."""
    return BANK.exists() and find_spec("pyworld") is not None


@cache
def _instrument(bank: Bank) -> Instrument | None:
    try:
        return load_instrument(bank)
    except FileNotFoundError:
        return None


def _draw_bank(program: int, random: Generator) -> Bank | None:
    """Draw a bank of samples for a program; None if a soundfont is to play."""
    fitting = [b for b in BANKS if program in b.programs and _instrument(b) is not None]
    if not fitting or random.random() > SAMPLED_SHARE:
        return None
    return fitting[int(random.integers(len(fitting)))]


def _draw_kit(random: Generator) -> str | None:
    """Draw a sampled drum kit; None if a soundfont is to play."""
    try:
        return draw_kit(random) if random.random() < KIT_SHARE else None
    except FileNotFoundError:
        return None


def _by_kit(track: Track, kit: str, length_s: float, random: Generator) -> Take:
    samples, hits = load_kit(kit).play(track.notes, length_s + TAIL_S, random)
    return Take(samples, np.zeros((0, 5)), label_drums(hits))


def _by_singer(track: Track, random: Generator) -> Take:
    samples, notes = sing(track.notes, random)
    return Take(samples, _with_family(notes, track.program), np.zeros((0, 3)))


def _by_samples(track: Track, bank: Bank, length_s: float, random: Generator) -> Take:
    instrument = _instrument(bank)
    assert instrument is not None
    samples, notes = instrument.play(_hold(track, length_s), length_s + TAIL_S, random)
    notes = end_at_repeats(notes)
    return Take(samples, _with_family(notes, track.program), np.zeros((0, 3)))


def _by_soundfont(
    tracks: Sequence[Track], soundfont: Path, random: Generator, stretch: int = 0
) -> Take:
    """Play tracks on a soundfont, with the samples of pitches ``stretch`` semitones lower."""
    midi = encode_tracks(tracks, random, stretch)
    reverb, chorus = random.random() < 0.4, random.random() < 0.25
    samples = synthesise(midi, soundfont, reverb=reverb, chorus=chorus)
    notes = [label_notes(track) for track in tracks if not track.is_drum]
    drums = [label_drums(track.notes) for track in tracks if track.is_drum]
    return Take(
        samples,
        np.concatenate([np.zeros((0, 5)), *notes]),
        np.concatenate([np.zeros((0, 3)), *drums]),
    )


def _hold(track: Track, longest_s: float = 1e3) -> Labels:
    held = hold_by_pedal(track.notes, track.pedal if track.program < 8 else np.zeros((0, 2)))
    held[:, OFFSET] = np.minimum(held[:, OFFSET], longest_s + TAIL_S)
    return held[held[:, OFFSET] > held[:, ONSET]]


def _with_family(notes: Labels, program: int) -> Labels:
    return np.column_stack([notes, np.full(len(notes), FAMILIES.index(family_of(program)))])


def label_notes(track: Track) -> Labels:
    """Return the notes of a pitched track as they sound: rows of :attr:`Take.notes`."""
    return _with_family(_hold(track), track.program)


def label_drums(hits: Labels) -> Labels:
    """Return hits ``(N, 4)`` as rows of :attr:`Take.drums`."""
    kinds = [DRUM_INDEX.get(int(key), DRUMS.index("other")) for key in hits[:, 2]]
    return np.column_stack([hits[:, 0], np.array(kinds, float), hits[:, 3]])


def encode_tracks(tracks: Sequence[Track], random: Generator, stretch: int = 0) -> bytes:
    """Return a MIDI file with ``TICKS_PER_S`` ticks per second.

    Except for drums, keys are ``stretch`` semitones lower than the pitches that sound, which MIDI's
    coarse tuning makes up for.

    Raises
    ------
    ValueError
        If a key would be outside MIDI's range.
    """
    midi = mido.MidiFile(type=1, ticks_per_beat=TICKS_PER_S)
    midi.tracks.append(mido.MidiTrack([mido.MetaMessage("set_tempo", tempo=1_000_000)]))
    channels = (channel for channel in range(16) if channel != 9)
    for track in tracks:
        channel = 9 if track.is_drum else next(channels)
        program = int(random.choice(KITS)) if track.is_drum else track.program
        volume = int(random.uniform(60, 127))
        midi.tracks.append(_encode(track, channel, program, volume, stretch))
    target = io.BytesIO()
    midi.save(file=target)
    return target.getvalue()


def _encode(track: Track, channel: int, program: int, volume: int, stretch: int) -> mido.MidiTrack:
    def control(number: int, value: int) -> mido.Message:
        return mido.Message("control_change", channel=channel, control=number, value=value)

    stretch = 0 if track.is_drum else stretch
    events: list[Event] = [
        (0.0, 0, mido.Message("program_change", channel=channel, program=program)),
        (0.0, 0, control(7, volume)),
    ]
    if stretch:
        events += [(0.0, 0, control(*pair)) for pair in (*_COARSE_TUNING, (6, 64 + stretch))]
    notes = track.notes if track.is_drum else end_at_repeats(track.notes)
    for onset_s, offset_s, pitch, velocity in notes:
        note = {"channel": channel, "note": int(pitch) - stretch}
        struck = int(np.clip(round(velocity), 1, 127))
        events.append((onset_s, 2, mido.Message("note_on", velocity=struck, **note)))
        events.append((max(offset_s, onset_s + 0.01), 1, mido.Message("note_off", **note)))
    if program < 8 and not track.is_drum:
        events += [(time_s, 1, control(64, int(value))) for time_s, value in track.pedal]
    return encode_track(events)
