"""Renders songs whose page is known: a singer, and a band, a guitar or a piano.

A tune (:mod:`tests.bench.song_tunes`) is sung twice, often after an introduction, and cut after the
last bar that ends within :data:`LONGEST_S`. The accompaniment and the timing are those of the
training of beats (:mod:`model_zoo.training.beats`), the singer is that of
:mod:`model_zoo.training.sound.singing`: synthetic, with words, in tune with the band to some
hundredths of a semitone, :data:`LATE_S` late on average, and with independent errors of
:data:`JITTER_S`. The tempo is drawn within :data:`QUARTER_BPM`, :data:`DOTTED_BPM` or, if the beat
is a half or a dotted half, :data:`HALF_BPM`. Swung tunes are printed straight.

The level of the singer relative to the accompaniment, while singing, is drawn with the mean and
spread of :data:`LEVELS_DB`. On 94 excerpts of MUSDB18 the median is -3.3 dB, the quartiles -5.0 and
-1.7 dB; a voice with one instrument is louder.

A song is determined by its name and by these programs: figures are comparable only as long as
renderings do not change. A rendering is FLAC, 44.1 kHz, stereo. Beside it are the
reference, in the format of ``voice_pages``, and the labels: onset, end and pitch of each sung note.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Final, Literal

import numpy as np
import soundfile
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from pretty_midi import ControlChange, Instrument, Note, PrettyMIDI

from inference_service.audio.waveform import Samples
from inference_service.music.programs import PIANO
from model_zoo.training.beats.arrange import add_bass
from model_zoo.training.beats.drums import add_drums
from model_zoo.training.beats.leadsheets import accompany
from model_zoo.training.beats.swing import swing_some
from model_zoo.training.beats.timing import lines_of, perform
from model_zoo.training.sound import fluidsynth
from model_zoo.training.sound.damage import draw_room, reverberate
from model_zoo.training.sound.singing import MELISMA_GAP_S, Singer, draw_singer, sing_as
from model_zoo.training.sound.speech import Bank, build_bank, load_bank, save_bank
from model_zoo.training.sources.groove import Groove
from model_zoo.training.sources.piece import OFFSET, ONSET, Line, Piece, cut, end_of, make_line
from model_zoo.training.sources.scores import beats_of
from tests.bench.song_tunes import Tune, repeat, write_score

RATE_HZ: Final = 44_100
LONGEST_S: Final = 28.0
MOST_INTRO_BARS: Final = 2

Style = Literal["band", "without drums", "guitar", "piano"]
STYLES: Final[tuple[Style, ...]] = (
    "band", "guitar", "band", "piano", "band", "without drums", "band", "band",
)  # fmt: skip
"""Styles of successive songs."""

QUARTER_BPM: Final = (72.0, 138.0)
DOTTED_BPM: Final = (50.0, 92.0)
HALF_BPM: Final = (40.0, 66.0)
SWING_SHARE: Final = 0.3
LATE_S: Final = (0.0, 0.04)
JITTER_S: Final = (0.01, 0.03)
TUNING_SEMITONES: Final = 0.06
LEVELS_DB: Final[dict[Style, tuple[float, float]]] = {
    "band": (-2.5, 2.0),
    "without drums": (-1.0, 2.0),
    "guitar": (2.0, 2.0),
    "piano": (1.0, 2.0),
}
VOICES: Final = tuple(
    f"espeak-ng:{voice}:{language}"
    for voice, language in (
        ("m1", "de"), ("m3", "en-us"), ("m5", "it"), ("m7", "en-gb"), ("Andy", "de"),
        ("f1", "en-us"), ("f2", "de"), ("f4", "it"), ("f5", "en-gb"), ("steph", "de"),
    )
)  # fmt: skip

SOUNDFONTS: Final = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/sounds/sf2/TimGM6mb.sf2"),
)
"""Used in turn; networks were not trained on the second."""

_CHORDS: Final = (0, 4, 5, 16, 24, 25, 26, 27, 48)
_BASSES: Final = (32, 33, 34, 35)
_GUITARS: Final = (24, 25)
_PAN: Final = 10
"""Number of the controller."""

_PANS: Final = (24, 104)
_STRUM_S: Final = 0.012
_LOWEST: Final = 36.0
_HIGHEST: Final = 96.0
_SHORTEST_S: Final = 0.06
_SAME_NOTE_S: Final = 0.15
_SAME_NOTE_SEMITONES: Final = 1.0
_FADE_S: Final = 0.3
_ALTERNATIVES: Final = {
    "2/4": ("4/4",),
    "4/4": ("2/4", "2/2"),
    "2/2": ("4/4", "2/4"),
    "6/4": ("6/8", "3/4"),
    "6/8": ("12/8",),
}
"""Time signatures that are equally right, as in ``voice_pages``."""

_SCALES: Final = {"2/2": (2.0,), "6/4": (2.0,)}
"""Values that are equally right: halves or sixths of a bar may be written in half their values."""


@dataclass(frozen=True, slots=True)
class RenderedSong:
    """The files of a rendered song."""

    audio: Path
    reference: Path
    labels: Path


def render_song(
    tune: Tune, number: int, grooves: Sequence[Groove], bank: Bank, folder: Path
) -> RenderedSong:
    """Render a tune, once; ``number`` is that of the song in the list, and chooses the style.

    Raises
    ------
    FileNotFoundError
        If a soundfont or FluidSynth is not installed.
    subprocess.CalledProcessError
        If FluidSynth fails.
    """
    song = RenderedSong(*(folder / f"{tune.name}.{suffix}" for suffix in ("flac", "json", "txt")))
    if song.audio.exists():
        return song
    soundfont = SOUNDFONTS[number % len(SOUNDFONTS)]
    if not soundfont.exists():
        raise FileNotFoundError(
            f"no {soundfont}: install fluid-soundfont-gm and timgm6mb-soundfont"
        )
    style = STYLES[number % len(STYLES)]
    random = np.random.default_rng(zlib.crc32(tune.name.encode()))
    sung, piece = _perform(tune, style, grooves, random)
    singer = _draw_singer(bank, float(np.median(sung.pitch)), random)
    labels, voice = _sing(piece, singer, random)
    band = fluidsynth.synthesise_stereo(
        _encode_band(piece, style, random), soundfont, reverb=True, chorus=False, rate_hz=RATE_HZ
    )
    level_db = random.normal(*LEVELS_DB[style])
    end_s = max(float(line.notes[:, OFFSET].max()) for line in piece.lines) + _FADE_S
    samples = _mix(voice, band, labels, level_db)[:, : round(end_s * RATE_HZ)]
    folder.mkdir(parents=True, exist_ok=True)
    np.savetxt(song.labels, labels[:, :3], fmt="%.4f")
    reference = _describe(tune, sung, piece.lines[0].notes, labels)
    song.reference.write_text(json.dumps(reference, indent=1), encoding="utf-8")
    partial = song.audio.with_suffix(".partial")
    soundfile.write(partial, samples.T, RATE_HZ, format="FLAC")
    partial.rename(song.audio)
    return song


def load_voices(cache: Path) -> Bank:
    """Return the speakers of :data:`VOICES`, after building them once.

    Raises
    ------
    FileNotFoundError
        If espeak-ng is not installed.
    """
    path = cache / "voices.npz"
    if not path.exists():
        save_bank(build_bank(VOICES), path)
    return load_bank(path)


def _perform(
    tune: Tune, style: Style, grooves: Sequence[Groove], random: Generator
) -> tuple[Tune, Piece]:
    """Return the notes sung, with positions from the first full bar sung, and their performance.

    The first line is the melody, a note for each of the tune's.
    """
    intro = int(random.integers(MOST_INTRO_BARS + 1))
    tune = repeat(tune, 2)
    score, moved = write_score(tune, intro)
    if moved.chords:
        start_q = intro * tune.bar_q
        opening = [
            (q - start_q, root, intervals)
            for q, root, intervals in moved.chords
            if start_q <= q < 2 * start_q
        ]
        chords = sorted([*opening, *moved.chords])
        lines = accompany(score, chords, random)
    else:
        notes = np.column_stack([moved.others, np.full(len(moved.others), 70.0)])
        lines = [*lines_of(score, random)[:1], make_line("piano", notes)]
    beats_q, _, _, compound = beats_of(score)
    tempi = DOTTED_BPM if compound == 1 else QUARTER_BPM
    tempi = HALF_BPM if np.median(np.diff(beats_q)) >= 2.0 else tempi
    piece = perform(score, lines, random, bpm=float(np.exp(random.uniform(*np.log(tempi)))))
    piece = swing_some(piece, SWING_SHARE, random)
    if style in ("band", "without drums") and not any(line.role == "bass" for line in piece.lines):
        bass = add_bass(piece, random)
        piece = replace(piece, lines=(*piece.lines, *([bass] if bass else [])))
    if style == "band":
        drums = add_drums(piece, grooves, random)
        piece = replace(piece, lines=(*piece.lines, *([drums] if drums else [])))
    stop_s = end_of(piece)
    if stop_s > LONGEST_S:
        bars_s = piece.beats_s[piece.positions == 1]
        stop_s = float(bars_s[bars_s <= LONGEST_S][-1])
    kept = int(np.sum(piece.lines[0].notes[:, ONSET] < stop_s))
    sung = replace(
        tune,
        onset_q=tune.onset_q[:kept],
        duration_q=tune.duration_q[:kept],
        pitch=tune.pitch[:kept],
    )
    piece = cut(piece, 0.0, stop_s)
    return sung, replace(piece, lines=tuple(line for line in piece.lines if len(line.notes)))


def _draw_singer(bank: Bank, median: float, random: Generator) -> Singer:
    """Draw a singer for a tune whose median pitch is given."""
    singer = draw_singer(bank, random)
    while singer.style == "whistle":  # whose range is not a singer's
        singer = draw_singer(bank, random)
    return replace(
        singer,
        style="words",
        low=_LOWEST,
        high=_HIGHEST,
        centre=float(np.clip(singer.centre, median - 12, median)),
        tuning=float(random.normal(0.0, TUNING_SEMITONES)),
        error=min(singer.error, 0.2),
    )


def _sing(piece: Piece, singer: Singer, random: Generator) -> tuple[NDArray[np.float64], Samples]:
    """Return the sung notes and their sound, shape (2, N), at :data:`RATE_HZ`."""
    notes = piece.lines[0].notes.copy()
    late_s = random.uniform(*LATE_S)
    shifts_s = late_s + random.normal(0.0, random.uniform(*JITTER_S), len(notes))
    notes[:, :2] = np.maximum(notes[:, :2] + shifts_s[:, None], 0.0)
    notes[:, ONSET] = np.maximum.accumulate(notes[:, ONSET])
    # A new syllable for each repetition of a pitch: one that is held through is not written twice.
    again = np.flatnonzero(np.diff(notes[:, 2]) == 0)
    latest_s = notes[again + 1, ONSET] - MELISMA_GAP_S - 0.01
    notes[again, OFFSET] = np.minimum(notes[again, OFFSET], latest_s)
    notes[:, OFFSET] = np.maximum(notes[:, OFFSET], notes[:, ONSET] + _SHORTEST_S)
    samples, labels = sing_as(singer, notes, random)
    decay_s, wet = float(random.uniform(0.4, 1.6)), float(random.uniform(0.1, 0.4))
    rooms = [draw_room(random, decay_s, wet) for _ in range(2)]
    heard = np.stack([reverberate(samples, room) for room in rooms], axis=1)
    return labels, np.asarray(soxr.resample(heard, fluidsynth.RATE_HZ, RATE_HZ).T, np.float32)


def _encode_band(piece: Piece, style: Style, random: Generator) -> bytes:
    """Return a MIDI file of all lines but the melody."""
    programs = {
        "chords": int(random.choice(_CHORDS)),
        "piano": int(random.choice((PIANO, PIANO, 16, 19))),
        "bass": int(random.choice(_BASSES)),
    }
    if style in ("guitar", "piano"):
        alone = int(random.choice(_GUITARS)) if style == "guitar" else PIANO
        programs = dict.fromkeys(programs, alone)
    midi = PrettyMIDI(resolution=1000, initial_tempo=60.0)
    for line in piece.lines[1:]:
        is_drum = line.role == "drums"
        part = Instrument(0 if is_drum else programs[line.role], is_drum=is_drum)
        if line.role not in ("bass", "drums"):
            part.control_changes.append(ControlChange(_PAN, int(random.integers(*_PANS)), 0.0))
        for onset_s, offset_s, pitch, velocity in _strum(line, style):
            stop_s = max(offset_s, onset_s + 0.02)
            part.notes.append(Note(round(velocity), round(pitch), onset_s, stop_s))
        midi.instruments.append(part)
    written = BytesIO()
    midi.write(written)
    return written.getvalue()


def _strum(line: Line, style: Style) -> NDArray[np.float64]:
    """Return a line's notes; a guitar's chords are spread from the lowest string."""
    notes = line.notes.copy()
    if style == "guitar" and len(notes):
        notes = notes[np.lexsort((notes[:, 2], np.round(notes[:, ONSET] / 0.04)))]
        begins = np.diff(notes[:, ONSET], prepend=-1.0) > 0.04
        rank = np.arange(len(notes)) - np.maximum.accumulate(
            np.where(begins, np.arange(len(notes)), 0)
        )
        notes[:, ONSET] += rank * _STRUM_S
    return notes


def _mix(voice: Samples, band: Samples, labels: NDArray[np.float64], level_db: float) -> Samples:
    """Return the sum, shape (2, N); ``level_db`` is the voice's level above the band's in notes."""
    count = max(voice.shape[1], band.shape[1])
    voice, band = (np.pad(part, ((0, 0), (0, count - part.shape[1]))) for part in (voice, band))
    sings = np.zeros(count, np.bool_)
    for onset_s, offset_s in labels[:, :2]:
        sings[round(onset_s * RATE_HZ) : round(offset_s * RATE_HZ)] = True
    power, other = (np.mean(np.square(part[:, sings])) for part in (voice, band))
    mixture = band + voice * (np.sqrt(other / (power + 1e-12)) * 10 ** (level_db / 20))
    return np.asarray(0.8 * mixture / max(float(np.abs(mixture).max()), 1e-9), np.float32)


def _describe(
    tune: Tune, sung: Tune, performed: NDArray[np.float64], labels: NDArray[np.float64]
) -> dict[str, object]:
    """Return the reference; notes without a label of their own are slips."""
    name = str(tune.metre)
    nearest = np.abs(performed[:, ONSET][:, None] - labels[:, 0]).argmin(1)
    near = np.abs(performed[:, ONSET] - labels[nearest, 0]) < _SAME_NOTE_S
    own = np.diff(nearest, prepend=-1) > 0
    octaves = labels[nearest, 2] - sung.pitch
    near &= np.abs(octaves - np.median(octaves)) < _SAME_NOTE_SEMITONES
    return {
        "exercise": tune.name,
        "metre": name,
        "metre_alternatives": _ALTERNATIVES.get(name, ()),
        "value_scale_alternatives": _SCALES.get(name, ()),
        "pickup_quarters": tune.pickup_q,
        "notes": [
            {
                "label_index": int(nearest[k]),
                "position_quarters": float(sung.onset_q[k]),
                "length_quarters": float(sung.duration_q[k]),
                "pitch": int(sung.pitch[k]),
                "slip": not bool(near[k] and own[k]),
            }
            for k in range(len(performed))
        ],
    }
