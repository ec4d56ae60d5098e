"""Synthesises singing from speech, with exact labels.

A singer sings a melody with the syllables of a speaker (:mod:`model_zoo.training.sound.speech`).
Vowels are stretched to the durations of the notes. Consonants keep about their own duration and
come before the beat. WORLD synthesises the frames at a fundamental frequency (F0) that is built
here. Its components are those of Saitou, Unoki and Akagi ("Development of an F0 Control Model Based
on F0 Dynamic Characteristics for Singing-Voice Synthesis", 2005): overshoot after a change of note
and preparation before it, vibrato, fine fluctuation. Added are scoops up into a note, fall-offs at
the end of a phrase, slow drift, a tuning offset of the singer and a pitch error for each note.

Definition of a note
--------------------
Human annotators of singing mark the loud part of a vowel, and leave gaps for consonants, except for
a voiced consonant after a pause that is as loud as the vowel. A note on the same vowel as the
previous one begins where the glide has almost arrived; a scoop belongs to its note.

A note is therefore labelled as the span of its vowel (and that consonant) from the first to the
last frame that meets two conditions: the level is within :data:`HELD_DB` of the vowel's, and the
pitch, without vibrato and fluctuation, is within :data:`HELD_SEMITONES` of the note's, or within
:data:`SCOOP_SEMITONES` at the beginning of a syllable. :data:`OVERHANG_S` is added at the end. The
pitch is the median F0 in the middle of that span. A written repetition of a pitch that the singer
holds through is one note.

Annotators disagree. Some begin every note with its vowel, some begin a note after a glide anywhere
between the glide's start and end, some end a note with the last trace of its sound.
:data:`BETWEEN` labels are in the middle, within the usual tolerance of all of them.

Singers are drawn from distributions wider than those of any one collection of recordings: from
amateurs who scoop into every note to trained choristers, and a few who hum or whistle.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import soxr
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from inference_service.audio.waveform import Samples
from model_zoo.training.sound.speech import (
    BANDS,
    FRAME_S,
    RATE_HZ,
    Bank,
    Speaker,
    Syllable,
    band_frequencies_hz,
    load_bank,
)

HELD_SEMITONES: Final = 0.35
SCOOP_SEMITONES: Final = 2.0
HELD_DB: Final = 9.0
OVERHANG_S: Final = 0.01
LED_IN_S: Final = 0.05
"""Maximum duration of a consonant after a pause that counts as part of its note."""

MIN_NOTE_S: Final = 0.04
MIN_NOTE_FRAMES: Final = round(MIN_NOTE_S / FRAME_S)
PHRASE_GAP_S: Final = 0.25
MELISMA_GAP_S: Final = 0.12
FIRST_CONSONANT: Final = 0.7
"""Duration of the first consonant of a phrase, relative to others."""

JOIN_S: Final = 0.05
CLICK_FRAMES: Final = 2
"""Minimum length of fades, to avoid clicks."""

BREATH_DB: Final = (-32.0, -16.0)
RING_HZ: Final = 3000.0
TAIL_S: Final = 0.5
PEAK: Final = 0.5

FFT_SAMPLES: Final = 512
"""Half the analysis size: 23 ms contain the response of a vowel, at half the cost."""

CODED_HZ: Final = (0.0, 3000.0, 6000.0, RATE_HZ / 2)
"""Frequencies of coded aperiodicity; -60 dB at 0 Hz and 0 dB at the top are implied."""

Style = Literal["words", "one syllable", "vowels", "hum", "whistle"]
Notes = NDArray[np.float64]
Curve = NDArray[np.float64]

_STYLES: Final[dict[Style, float]] = {
    "words": 0.68,
    "one syllable": 0.12,
    "vowels": 0.09,
    "hum": 0.08,
    "whistle": 0.03,
}
_NEPERS_PER_DB: Final = np.log(10) / 10
_MALE_HZ: Final = 145.0


@dataclass(frozen=True, slots=True)
class Singer:
    """A speaker's voice and the habits of a singer; drawn by :func:`draw_singer`.

    Attributes
    ----------
    speaker : Speaker
    style : str
        What is sung: words, one repeated syllable, vowels, humming, whistling.
    low, high : float
        Range in MIDI numbers.
    centre : float
        Most comfortable median pitch of a melody.
    tract : float
        Length of the vocal tract relative to the speaker's; formants are divided by it.
    tuning : float
        Deviation of the take from A440, in semitones.
    error : float
        Standard deviation of a note's pitch error, in semitones.
    glide_s : float
        Typical duration of a glide between pitches.
    overshoot : float
        Overshoot as a fraction of the interval.
    scoop, fall : float
        Probabilities of a scoop into a note after a pause, and of a fall-off before a pause.
    legato : float
        Probability that a note is held until the next consonant, whatever is written.
    melisma : float
        Probability that a note continues the vowel of the previous note.
    vibrato_hz, vibrato_cents : float
        Rate, and extent to each side.
    bend, drift, jitter : float
        Standard deviations in semitones of a note's slope and curvature, of fluctuation over tenths
        of a second, and of fluctuation from frame to frame.
    shimmer_db : float
        Standard deviation of the level's fluctuation.
    consonant_s : float
        Typical duration of a consonant.
    attack_s, release_s : float
        Durations of the fade-in after and the fade-out before silence.
    breathiness_db : float
        Offset of the aperiodicity, which is high in synthetic speech.
    ring_db, tilt_db : float
        Gain of the singer's formant near 3 kHz; spectral slope above 500 Hz, per octave.
    blur : float
        Standard deviation, in bands, of the smoothing of formants: synthetic speech has deeper
        valleys between them than real voices in rooms.
    breaths : float
        Probability of an audible breath before a phrase.
    dynamics : float
        How strongly velocity changes the level, 0 to 1.
    """

    speaker: Speaker
    style: Style
    low: float
    high: float
    centre: float
    tract: float
    tuning: float
    error: float
    glide_s: float
    overshoot: float
    scoop: float
    fall: float
    legato: float
    melisma: float
    vibrato_hz: float
    vibrato_cents: float
    bend: float
    drift: float
    jitter: float
    shimmer_db: float
    consonant_s: float
    attack_s: float
    release_s: float
    breathiness_db: float
    ring_db: float
    tilt_db: float
    blur: float
    breaths: float
    dynamics: float


@dataclass(frozen=True, slots=True)
class Labelling:
    """Conventions on which annotators differ: where notes begin and end.

    Attributes
    ----------
    led_in_s : float
        Maximum duration of a loud voiced consonant after a pause that belongs to its note.
    ends_db : float
        How far the level may fall below the vowel's before the note ends.
    midway : bool
        Whether notes joined by a glide meet in its middle, rather than at its start and end.
    """

    led_in_s: float = LED_IN_S
    ends_db: float = HELD_DB
    midway: bool = False


MARKED: Final = Labelling()
"""The most common conventions."""

BETWEEN: Final = Labelling(led_in_s=LED_IN_S / 2, ends_db=15.0, midway=True)


@dataclass(slots=True)
class _Sung:
    """A note as the singer intends it; times in frames.

    ``begin`` and ``stop`` bound the vowel; a consonant of ``lead`` frames comes before and a coda
    of ``tail`` frames after. ``pitch`` is a MIDI number. ``attached``: the note continues the vowel
    of the previous one, and the level dips by ``dip_db`` between them. ``first``: silence precedes.
    """

    begin: int
    stop: int
    pitch: float
    velocity: float
    syllable: int
    attached: bool = False
    first: bool = False
    dip_db: float = 0.0
    lead: int = 0
    tail: int = 0


def sing(
    notes: Notes,
    random: Generator,
    rate_hz: int = RATE_HZ,
    bank: Bank | None = None,
    labelling: Labelling = MARKED,
) -> tuple[Samples, Notes]:
    """Sing a melody.

    Parameters
    ----------
    notes : np.ndarray, shape (N, 4)
        Onset and offset in seconds, MIDI number, velocity; a monophonic melody, sorted.
    random : Generator
        Source of all random choices, the singer included.
    rate_hz : int
    bank : Bank, optional
        Bank of speakers; default: that of :func:`load_bank`.
    labelling : Labelling

    Returns
    -------
    samples : np.ndarray, shape (M,), float32
        Normalised to ``PEAK``; ``TAIL_S`` longer than the melody.
    notes : np.ndarray, shape (N', 4)
        The notes sung, in an octave that suits the voice: onset and offset in seconds, pitch
        (fractional MIDI number), velocity.
    """
    singer = draw_singer(load_bank() if bank is None else bank, random)
    return sing_as(singer, notes, random, rate_hz, labelling)


def sing_as(
    singer: Singer,
    notes: Notes,
    random: Generator,
    rate_hz: int = RATE_HZ,
    labelling: Labelling = MARKED,
) -> tuple[Samples, Notes]:
    """Sing a melody with a given singer; see :func:`sing`."""
    if not len(notes):
        return np.zeros(round(TAIL_S * rate_hz), np.float32), np.zeros((0, 4))
    count = round((float(notes[-1, 1]) + TAIL_S) / FRAME_S) + 1
    syllables = _repertoire(singer, random)
    sung = _plan(_fit(notes, singer), singer, len(syllables), random)
    _make_room(sung, syllables, singer, random)
    held, contour = _intone(sung, count, singer, random)
    source, gain_db = _speak(sung, count, syllables, singer, random)
    voiced = np.concatenate([syllable.voiced for syllable in syllables])[source]
    levels = np.concatenate(
        [_level(syllable.envelope.astype(np.float32)) for syllable in syllables]
    )
    level_db = gain_db + levels[source] / _NEPERS_PER_DB
    labels = _label(sung, held, contour, level_db, voiced, labelling)
    if singer.style == "whistle":
        samples = _whistle(contour, gain_db, random)
    else:
        _breathe(sung, source, gain_db, voiced, singer, random)
        samples = _synthesise(contour, source, gain_db, voiced, syllables, singer)
    samples = samples[: round((count - 1) * FRAME_S * RATE_HZ)]
    if rate_hz != RATE_HZ:
        samples = soxr.resample(samples, RATE_HZ, rate_hz)
    peak = max(float(np.abs(samples).max(initial=0.0)), 1e-9)
    return np.asarray(samples * (PEAK / peak), np.float32), labels


def draw_singer(bank: Bank, random: Generator) -> Singer:
    """Draw a speaker and the singer's habits."""
    speaker = bank[int(random.integers(len(bank)))]
    styles = list(_STYLES)
    style = styles[int(random.choice(len(styles), p=list(_STYLES.values())))]
    kind = random.random()
    if style == "whistle":
        low, high, centre, tract = 72.0, 98.0, random.uniform(78, 88), 1.0
    elif kind < 0.08:  # a child
        low, high, centre, tract = 57.0, 84.0, random.uniform(63, 72), random.uniform(0.78, 0.88)
    elif speaker.f0_hz < _MALE_HZ and kind < 0.8:
        low, high, centre, tract = 40.0, 68.0, random.uniform(49, 60), random.uniform(0.92, 1.15)
    else:
        low, high, centre, tract = 53.0, 81.0, random.uniform(59, 69), random.uniform(0.85, 1.08)
    skill = random.beta(1.5, 1.5)  # 1 is a trained singer
    vibrato = random.random() < 0.25 + 0.5 * skill
    return Singer(
        speaker=speaker,
        style=style,
        low=low,
        high=high,
        centre=float(centre),
        tract=float(tract),
        tuning=float(np.clip(random.normal(0, 0.22), -0.5, 0.5)),
        error=float(random.uniform(0.06, 0.18) + 0.2 * (1 - skill) * random.random()),
        glide_s=float(np.exp(random.uniform(np.log(0.04), np.log(0.2)))),
        overshoot=float(random.uniform(0.0, 0.12)),
        scoop=float(random.beta(0.9, 1.6)),
        fall=float(random.beta(0.8, 2.5)),
        legato=float(random.uniform(0.4, 1.0)),
        melisma=float(random.beta(0.8, 4.0)) if style != "hum" else float(random.beta(1, 1)),
        vibrato_hz=float(np.clip(random.normal(5.5, 0.6), 4.2, 7.2)),
        vibrato_cents=float(min(random.gamma(2.0, 22.0), 130.0))
        if vibrato
        else float(random.uniform(0, 10)),
        bend=float(0.02 + 0.25 * (1 - skill) * random.random()),
        drift=float(random.uniform(0.03, 0.12) + 0.1 * (1 - skill) * random.random()),
        jitter=float(random.uniform(0.005, 0.04)),
        shimmer_db=float(random.uniform(0.0, 1.2)),
        consonant_s=float(np.exp(random.uniform(np.log(0.05), np.log(0.13)))),
        attack_s=float(np.exp(random.uniform(np.log(0.015), np.log(0.09)))),
        release_s=float(np.exp(random.uniform(np.log(0.03), np.log(0.25)))),
        breathiness_db=float(random.gamma(1.2, 8.0) - 25),
        ring_db=float(random.uniform(-4, 12) * skill),
        tilt_db=float(random.normal(-0.5, 1.5)),
        blur=float(random.uniform(0.3, 4.0)),
        breaths=float(random.uniform(0, 1)),
        dynamics=float(random.uniform(0.2, 0.9)),
    )


def _fit(notes: Notes, singer: Singer) -> Notes:
    """Return the melody without overlaps, shifted by octaves into the singer's range."""
    fitted = notes[np.argsort(notes[:, 0], kind="stable")].astype(float)
    middle = float(np.median(fitted[:, 2]))
    octaves = np.arange(-6, 7)
    beyond = [
        np.mean((fitted[:, 2] + 12 * k > singer.high) | (fitted[:, 2] + 12 * k < singer.low))
        for k in octaves
    ]
    far = np.abs(middle + 12 * octaves - singer.centre) / 12
    fitted[:, 2] += 12 * octaves[int(np.argmin(far + 2 * np.array(beyond)))]
    fitted[:-1, 1] = np.minimum(fitted[:-1, 1], fitted[1:, 0])
    long = fitted[:, 1] - fitted[:, 0] >= MIN_NOTE_S
    sung: Notes = fitted[long]
    return sung


def _repertoire(singer: Singer, random: Generator) -> list[Syllable]:
    """Return the syllables used in this take."""
    syllables = list(singer.speaker.syllables)
    if singer.style == "one syllable":
        return [syllables[int(random.integers(len(syllables)))]]
    if singer.style in ("vowels", "whistle"):
        first = int(random.integers(len(syllables)))
        chosen = [syllables[first], *random.choice(np.arange(len(syllables)), 2)]
        picked = [first, *(int(index) for index in chosen[1:])]
        return [_bare(syllables[index]) for index in picked[: int(random.integers(1, 4))]]
    if singer.style == "hum":
        hums = [_hum(s) for s in syllables if s.vowel >= 10 and s.voiced[: s.vowel].all()]
        return [hums[int(random.integers(len(hums)))]] if hums else [_bare(syllables[0])]
    return syllables


def _bare(syllable: Syllable) -> Syllable:
    """Return a syllable that consists of the vowel only."""
    span = slice(syllable.vowel, syllable.coda)
    envelope, aperiodicity = syllable.envelope[span], syllable.aperiodicity_db[span]
    return Syllable(envelope, aperiodicity, syllable.voiced[span], 0, len(envelope))


def _hum(syllable: Syllable) -> Syllable:
    """Return a syllable that consists of the voiced consonant, at the level of the vowel."""
    span = slice(syllable.vowel // 3, syllable.vowel - 3)
    envelope = syllable.envelope[span].astype(np.float32)
    envelope -= (
        _level(envelope)[:, None]
        - _level(syllable.envelope[syllable.vowel : syllable.coda].astype(np.float32)).mean()
    )
    aperiodicity = syllable.aperiodicity_db[span]
    count = len(envelope)
    return Syllable(envelope.astype(np.float16), aperiodicity, np.ones(count, bool), 0, count)


def _level(envelope: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the log power of each frame; bands are weighted by their width in hertz."""
    widths = np.gradient(band_frequencies_hz()).astype(np.float32)
    level: NDArray[np.float32] = np.log(np.exp(envelope) @ widths + np.float32(1e-9))
    return level


def _plan(notes: Notes, singer: Singer, repertoire: int, random: Generator) -> list[_Sung]:
    """Choose the syllable, timing and pitch of each note."""
    timing_s = random.uniform(0.0, 0.02)
    sung: list[_Sung] = []
    syllable, written = 0, 0.0
    for onset_s, offset_s, pitch, velocity in notes:
        before = sung[-1] if sung else None
        begin = round((onset_s + random.normal(0.0, timing_s)) / FRAME_S)
        begin = max(begin, before.begin + MIN_NOTE_FRAMES if before else 0)
        stop = max(round(offset_s / FRAME_S), begin + MIN_NOTE_FRAMES)
        gap_s = (begin - before.stop) * FRAME_S if before else np.inf
        same = pitch == written
        written = float(pitch)
        meant = float(pitch + singer.tuning + random.normal(0.0, singer.error))
        note = _Sung(begin, stop, meant, float(velocity), syllable, first=gap_s > PHRASE_GAP_S)
        if before and gap_s < MELISMA_GAP_S and random.random() < singer.melisma:
            before.stop = begin
            if same and random.random() < 0.4:
                before.stop = stop
                continue
            note.attached = True
            if same or random.random() < 0.25:
                note.dip_db = float(random.uniform(6, 25))
        else:
            note.syllable = syllable = int(random.integers(repertoire))
            if before and not note.first and random.random() < singer.legato:
                before.stop = begin
        sung.append(note)
    return sung


def _make_room(
    sung: list[_Sung], syllables: list[Syllable], singer: Singer, random: Generator
) -> None:
    """Set the durations of consonants and codas; they shorten the preceding vowels."""
    for index, note in enumerate(sung):
        syllable = syllables[note.syllable]
        before = sung[index - 1] if index else None
        length = singer.consonant_s / FRAME_S * np.exp(random.normal(0, 0.3))
        if not note.attached:
            if note.first:
                length *= FIRST_CONSONANT
            room = 0.4 * (note.begin - before.begin) if before else note.begin
            note.lead = int(min(length, syllable.vowel, room))
        last = index + 1 == len(sung) or not sung[index + 1].attached
        if last and random.random() < 0.5:
            tail = min(0.8 * length, len(syllable.voiced) - syllable.coda)
            note.tail = int(min(tail, 0.3 * (note.stop - note.begin)))
            note.stop -= note.tail
        if before and not note.attached:
            over = before.stop + before.tail - (note.begin - note.lead)
            before.stop -= max(over, 0)


def _intone(
    sung: list[_Sung], count: int, singer: Singer, random: Generator
) -> tuple[Curve, Curve]:
    """Return the pitch of each frame, in MIDI numbers.

    Returns
    -------
    held : np.ndarray, shape (T,)
        The intended pitch.
    contour : np.ndarray, shape (T,)
        The same with vibrato, bends, drift and jitter.
    """
    held = np.full(count, sung[0].pitch if sung else 60.0)
    moved = np.zeros(count)
    before: _Sung | None = None
    for index, note in enumerate(sung):
        lead = note.begin - note.lead
        if before is None or note.first:
            held[max(lead - 1, 0) :] = note.pitch
        else:
            _glide(held, before, note, singer, random)
        chance = 1.0 if note.first else 0.0 if note.attached else 0.3
        if random.random() < singer.scoop * chance:
            _scoop(held, note, random)
        ends = index + 1 == len(sung) or sung[index + 1].first
        if ends and random.random() < singer.fall:
            _fall(held, note, random)
        _vibrate(moved, note, singer, random)
        place = np.linspace(-1, 1, note.stop - note.begin)
        slope, arch = random.normal(0.0, singer.bend, 2)
        moved[note.begin : note.stop] += slope * place + arch * (place**2 - 1 / 3)
        before = note
    slow = gaussian_filter1d(random.standard_normal(count), random.uniform(10, 30))
    fine = gaussian_filter1d(random.standard_normal(count), 1.0)
    drift = singer.drift * slow / (slow.std() + 1e-9) + singer.jitter * fine / (fine.std() + 1e-9)
    return held, held + moved + drift


def _glide(held: Curve, before: _Sung, note: _Sung, singer: Singer, random: Generator) -> None:
    """Add a glide between two pitches that arrives near the beginning of the vowel."""
    step = note.pitch - before.pitch
    length = singer.glide_s * np.exp(random.normal(0, 0.35)) * (0.8 + abs(step) / 10) / FRAME_S
    length = max(round(min(length, 0.55 * (note.begin - before.begin))), 2)
    late = random.normal(-0.01, 0.02) / FRAME_S + (length / 2 if note.attached else 0.0)
    arrival = note.begin + round(min(late, (note.stop - note.begin) / 3))
    start = max(arrival - length, before.begin + 1)
    arrival = max(arrival, start + 1)
    held[start:arrival] = before.pitch + step * _ease(arrival - start)
    held[arrival:] = note.pitch
    # Overshoot is a damped bump after the glide, preparation a small opposite one before it.
    overshoot = step * singer.overshoot * random.uniform(0, 1)
    bump = held[arrival : min(arrival + round(random.uniform(0.06, 0.16) / FRAME_S), note.stop)]
    bump += overshoot * np.sin(np.pi * np.linspace(0, 1, len(bump))) * (1 - 0.7 * _ease(len(bump)))
    dip = held[max(start - round(0.06 / FRAME_S), before.begin) : start]
    dip -= 0.4 * overshoot * np.sin(np.pi * np.linspace(0, 1, len(dip)))


def _scoop(held: Curve, note: _Sung, random: Generator) -> None:
    """Add a scoop up into a note; its consonant is at the low pitch already."""
    span_s = np.exp(random.uniform(np.log(0.04), np.log(0.25)))
    length = min(round(span_s / FRAME_S), (note.stop - note.begin) // 2)
    depth = min(random.gamma(2.0, 0.6), 3.5)
    held[note.begin : note.begin + length] -= depth * (1 - _ease(length))
    down = 1.0 if note.first else _ease(note.lead)
    held[note.begin - note.lead : note.begin] -= depth * down


def _fall(held: Curve, note: _Sung, random: Generator) -> None:
    """Add a fall-off to the last note of a phrase."""
    length = min(round(random.uniform(0.05, 0.25) / FRAME_S), (note.stop - note.begin) // 2)
    depth = random.uniform(0.5, 4.0)
    held[note.stop - length : note.stop] -= depth * np.linspace(0, 1, length) ** 2
    held[note.stop : note.stop + note.tail] -= depth


def _vibrate(moved: Curve, note: _Sung, singer: Singer, random: Generator) -> None:
    """Add a vibrato that begins with a delay and grows."""
    time_s = np.arange(note.stop - note.begin) * FRAME_S
    delay_s = random.uniform(0.05, 0.4)
    growth = np.clip((time_s - delay_s) / random.uniform(0.1, 0.5), 0, 1)
    rate_hz = singer.vibrato_hz * np.exp(random.normal(0, 0.05)) * (1 + 0.05 * time_s)
    extent = singer.vibrato_cents / 100 * np.exp(random.normal(0, 0.3))
    phase = 2 * np.pi * (np.cumsum(rate_hz) * FRAME_S + random.uniform())
    moved[note.begin : note.stop] += extent * growth * np.sin(phase)


def _ease(count: int) -> Curve:
    """Return a raised-cosine ramp from 0 to 1."""
    course: Curve = 0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, count))
    return course


def _speak(
    sung: list[_Sung], count: int, syllables: list[Syllable], singer: Singer, random: Generator
) -> tuple[NDArray[np.int64], Curve]:
    """Return which of the concatenated syllables' frames sounds in each frame, and its level.

    Levels are in dB, minus infinity in silence.
    """
    starts = np.cumsum([0, *(len(syllable.voiced) for syllable in syllables)]).tolist()
    source = np.zeros(count, np.int64)
    gain_db = np.full(count, -np.inf)
    for index, note in enumerate(sung):
        syllable, start = syllables[note.syllable], starts[note.syllable]
        level_db = 40 * np.log10(max(note.velocity, 1.0) / 90) * singer.dynamics
        level_db += random.normal(0, 1.0)
        follower = sung[index + 1] if index + 1 < len(sung) else None
        if not note.attached:
            taken = min(round(1.6 * note.lead), syllable.vowel)
            lead = slice(note.begin - note.lead, note.begin)
            source[lead] = start + syllable.vowel - taken + _spread(note.lead, taken)
            gain_db[lead] = level_db
            end = note.stop
            for other in sung[index + 1 :]:
                if not other.attached:
                    break
                end = other.stop
            vowel = _stretch(end - note.begin, syllable.coda - syllable.vowel, random)
            source[note.begin : end] = start + syllable.vowel + vowel
        tail = slice(note.stop, note.stop + note.tail)
        source[tail] = start + syllable.coda + np.arange(note.tail)
        gain_db[tail] = level_db
        vowel_db = gain_db[note.begin : note.stop]
        vowel_db[:] = level_db + _swell(len(vowel_db), random)
        if note.attached:
            width = min(round(random.uniform(0.03, 0.08) / FRAME_S), len(vowel_db))
            vowel_db[:width] -= note.dip_db * np.sin(np.pi * np.linspace(0, 1, width))
        elif not np.isfinite(gain_db[max(note.begin - note.lead - 1, 0)]) and (
            note.lead == 0 or random.random() < 0.5
        ):
            attack_s = singer.attack_s if note.first else min(singer.attack_s, 0.03)
            rise = min(round(attack_s / FRAME_S), len(vowel_db) // 2)
            vowel_db[:rise] += _fade(rise)
        if follower is None or follower.begin - follower.lead > note.stop + note.tail:
            ending = gain_db[note.begin : note.stop + note.tail]
            close = follower is not None and not follower.first
            release_s = min(singer.release_s, 0.06) if close else singer.release_s
            release = min(round(release_s / FRAME_S), len(ending) // 2)
            ending[len(ending) - release :] += _fade(release)[::-1]
    shimmer = gaussian_filter1d(random.standard_normal(count), 4.0)
    gain_db += singer.shimmer_db * shimmer / (shimmer.std() + 1e-9)
    for start, stop in _stretches(gain_db):
        edge = min(CLICK_FRAMES, (stop - start) // 2)
        gain_db[start : start + edge] += _fade(edge)
        gain_db[stop - edge : stop] += _fade(edge)[::-1]
    return source, gain_db


def _stretches(gain_db: Curve) -> list[list[int]]:
    """Return the start and stop frames of the stretches between silences."""
    edges = np.flatnonzero(np.diff(np.isfinite(gain_db), prepend=False, append=False))
    stretches: list[list[int]] = edges.reshape(-1, 2).tolist()
    return stretches


def _spread(count: int, available: int) -> NDArray[np.int64]:
    """Return ``count`` indices, equally spaced over ``available`` frames."""
    return np.rint(np.linspace(0, max(available - 1, 0), count)).astype(np.int64)


def _stretch(count: int, available: int, random: Generator) -> NDArray[np.int64]:
    """Return ``count`` indices over a vowel's frames.

    The first and last thirds keep their speed. The middle is stretched, and traversed back and
    forth in long notes.
    """
    edge = available // 3
    middle = count - 2 * edge
    if middle <= available - 2 * edge:
        return _spread(count, available)
    passes = 1 + 2 * int(random.integers(0, 1 + min(middle // 60, 4)))
    walk = np.abs((np.linspace(0, passes, middle) + 1) % 2 - 1)
    inside = edge + walk * (available - 1 - 2 * edge)
    ends = np.arange(edge), np.arange(available - edge, available)
    return np.concatenate([ends[0], np.rint(inside).astype(np.int64), ends[1]])


def _swell(count: int, random: Generator) -> Curve:
    """Return the loudness curve of a vowel in dB: slope, swell and accent."""
    place = np.linspace(0, 1, count)
    slope_db, arch_db = random.normal(-1.0, 2.0), random.normal(1.0, 1.5)
    accent_db = max(random.normal(0.5, 1.5), 0.0)
    accent = np.exp(-np.arange(count) * FRAME_S / 0.06)
    swell: Curve = slope_db * place + 4 * arch_db * place * (1 - place) + accent_db * accent
    return swell


def _fade(count: int) -> Curve:
    """Return a fade-in in dB."""
    fade: Curve = 20 * np.log10(np.maximum(_ease(count + 2)[1:-1], 1e-3))
    return fade


def _label(
    sung: list[_Sung],
    held: Curve,
    contour: Curve,
    level_db: Curve,
    voiced: NDArray[np.bool_],
    labelling: Labelling,
) -> Notes:
    """Return the labels of the notes that were sung: shape (N', 4)."""
    led_in = round(labelling.led_in_s / FRAME_S)
    rows: list[tuple[float, float, float, float]] = []
    for index, note in enumerate(sung):
        vowel_db = float(np.median(level_db[note.begin : note.stop]))
        paused = not np.isfinite(level_db[max(note.begin - note.lead - 1, 0)])
        start = note.begin - min(note.lead, led_in) * paused
        span = slice(start, note.stop)
        begins = voiced[span] & (level_db[span] > vowel_db - HELD_DB)
        ends = voiced[span] & (level_db[span] > vowel_db - labelling.ends_db)
        away = np.abs(held[span] - note.pitch)
        follower = sung[index + 1] if index + 1 < len(sung) else None
        reach = SCOOP_SEMITONES
        if note.attached:
            reach = _reach(note, sung[index - 1], labelling)
        leaves = HELD_SEMITONES
        if follower is not None and follower.attached:
            leaves = _reach(note, follower, labelling)
        begun = start + np.flatnonzero(begins & (away < reach))
        ended = start + np.flatnonzero(ends & (away < leaves))
        if not len(begun) or not len(ended) or (ended[-1] + 1 - begun[0]) * FRAME_S < MIN_NOTE_S:
            continue
        first, last = int(begun[0]), int(ended[-1]) + 1
        margin = (last - max(first, note.begin)) // 5
        pitch = float(np.median(contour[max(first, note.begin) + margin : last - margin]))
        onset_s, offset_s = first * FRAME_S, last * FRAME_S + OVERHANG_S
        if rows and rows[-1][1] > onset_s:
            rows[-1] = (rows[-1][0], onset_s, *rows[-1][2:])
        rows.append((onset_s, offset_s, pitch, note.velocity))
    return np.array(rows, float).reshape(-1, 4)


def _reach(note: _Sung, other: _Sung, labelling: Labelling) -> float:
    """Return the tolerance of a note's pitch, in semitones, next to a glide to ``other``."""
    halfway = abs(note.pitch - other.pitch) / 2 if labelling.midway else 0.0
    return max(HELD_SEMITONES, halfway)


def _breathe(
    sung: list[_Sung],
    source: NDArray[np.int64],
    gain_db: Curve,
    voiced: NDArray[np.bool_],
    singer: Singer,
    random: Generator,
) -> None:
    """Add breaths before some phrases: noise with the envelope of the following vowel."""
    for index, note in enumerate(sung):
        end = note.begin - note.lead - round(random.uniform(0.02, 0.12) / FRAME_S)
        length = round(random.uniform(0.12, 0.45) / FRAME_S)
        free = sung[index - 1].stop + sung[index - 1].tail + 10 if index else 0
        if not note.first or end - length < free or random.random() > singer.breaths:
            continue
        breath = slice(end - length, end)
        source[breath] = source[note.begin]
        course = np.sin(np.pi * np.linspace(0, 1, length + 2)[1:-1])
        gain_db[breath] = random.uniform(*BREATH_DB) + 20 * np.log10(course)
        voiced[breath] = False


def _synthesise(
    contour: Curve,
    source: NDArray[np.int64],
    gain_db: Curve,
    voiced: NDArray[np.bool_],
    syllables: list[Syllable],
    singer: Singer,
) -> Samples:
    """Synthesise the stretches between silences with WORLD."""
    import pyworld  # extra "training"; the rest of training runs without it

    hop = RATE_HZ * FRAME_S
    samples = np.zeros(round(len(source) * hop) + RATE_HZ, np.float32)
    envelope = np.concatenate([syllable.envelope for syllable in syllables])
    aperiodicity_db = np.concatenate([syllable.aperiodicity_db for syllable in syllables])
    to_bins, colour = _mouth(singer)
    bin_hz = np.arange(FFT_SAMPLES // 2 + 1) * RATE_HZ / FFT_SAMPLES
    coding = np.stack([np.interp(bin_hz, CODED_HZ, row) for row in np.eye(len(CODED_HZ))])
    for start, stop in _stretches(gain_db):
        frames = source[start:stop]
        sounding = voiced[start:stop]
        logs = _join(envelope[frames].astype(np.float32), frames)
        logs += (gain_db[start:stop, None] * _NEPERS_PER_DB).astype(np.float32)
        power = np.exp((logs @ to_bins + colour).astype(np.float64)) + 1e-12
        coded = np.zeros((len(frames), len(CODED_HZ)))
        coded[:, 0], coded[:, -1] = -60.0, 0.0
        coded[:, 1:3] = aperiodicity_db[frames] + singer.breathiness_db * np.array([1.0, 0.7])
        coded[:, 0] += singer.breathiness_db
        coded[~sounding] = 0.0
        aperiodicity = 10 ** (np.minimum(coded, -1e-3) / 20) @ coding
        f0_hz = np.where(sounding, 440 * 2 ** ((contour[start:stop] - 69) / 12), 0.0)
        sound = pyworld.synthesize(f0_hz, power, aperiodicity, RATE_HZ, 1000 * FRAME_S)
        first = round(start * hop)
        samples[first : first + len(sound)] += sound.astype(np.float32)
    return samples


def _join(envelope: NDArray[np.float32], frames: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the envelopes with cross-fades of :data:`JOIN_S` where syllables meet."""
    width = round(JOIN_S / FRAME_S / 2)
    smooth: NDArray[np.float32] = uniform_filter1d(envelope, 3, axis=0, mode="nearest")
    for join in (np.flatnonzero(np.abs(np.diff(frames)) > 8) + 1).tolist():
        first, last = max(join - width, 0), min(join + width, len(frames) - 1)
        weight = np.linspace(0, 1, last - first + 1, dtype=np.float32)[:, None]
        smooth[first : last + 1] = (1 - weight) * smooth[first] + weight * smooth[last]
    return smooth


def _mouth(singer: Singer) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the singer's vocal tract as a linear map of log power.

    Returns
    -------
    matrix : np.ndarray, shape (BANDS, F)
        Maps bands to WORLD's bins, and scales formants.
    offset : np.ndarray, shape (F,)
        Added to each frame.
    """
    bin_hz = np.arange(FFT_SAMPLES // 2 + 1) * RATE_HZ / FFT_SAMPLES
    bands_hz = band_frequencies_hz()
    heard_hz = np.minimum(bin_hz * singer.tract, bands_hz[-1])
    smeared = gaussian_filter1d(np.eye(BANDS), singer.blur, axis=1, mode="nearest")
    matrix = np.stack([np.interp(heard_hz, bands_hz, row) for row in smeared])
    ring = np.exp(-0.5 * ((bin_hz - RING_HZ / singer.tract) / 500) ** 2)
    colour_db = singer.ring_db * ring + singer.tilt_db * np.log2(np.maximum(bin_hz, 500) / 500)
    return matrix.astype(np.float32), (colour_db * _NEPERS_PER_DB).astype(np.float32)


def _whistle(contour: Curve, gain_db: Curve, random: Generator) -> Samples:
    """Synthesise whistling: a tone with breath noise."""
    count = round((len(contour) - 1) * FRAME_S * RATE_HZ)
    frame = np.arange(count) / (RATE_HZ * FRAME_S)
    index = np.arange(len(contour))
    f0_hz = 440 * 2 ** ((np.interp(frame, index, contour) - 69) / 12)
    amplitude = 10 ** (np.maximum(gain_db, -80.0) / 20) * np.isfinite(gain_db)
    amplitude = np.interp(frame, index, gaussian_filter1d(amplitude, 1.0))
    phase = 2 * np.pi * np.cumsum(f0_hz) / RATE_HZ
    tone = np.sin(phase) + random.uniform(0, 0.08) * np.sin(2 * phase)
    # Breath noise modulates the tone, so that it lies around its pitch.
    air = gaussian_filter1d(random.standard_normal(count), 12.0)
    tone += random.uniform(0.0, 0.4) * air / (air.std() + 1e-9) * np.cos(phase)
    return np.asarray(amplitude * tone, np.float32)
