"""From the network's outputs to notes.

A note begins where its onset output peaks, at the apex of the triangle through the peak and its
neighbours (Kong and others, "High-resolution piano transcription with pedals by regressing onset
and offset times", IEEE TASLP 2021, equation 8); it ends where its pitch has been silent for
:attr:`DecodingOptions.gap_frames`, or begins again. The offset output then moves the end to its own
peak, if it has one near. Families are told by the mean over a note's first half second, among
those that play enough of the notes to be there at all.

Thresholds belong to weights, and are kept with them: chosen on rendered development music, never on
recordings that figures are stated for (``python -m model_zoo.training.tagger export``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import DRUMS, LOWEST_PITCH

Activations = NDArray[np.floating]

DECODING_KEY: Final = "decoding"
"""Under which a weights' file keeps its :class:`DecodingOptions`, as JSON."""

DRUM_KEYS: Final = (36, 38, 42, 46, 45, 49, 51, 39)
"""General MIDI's key of each of the network's percussion sounds; a clap for the others."""

_REACH_FRAMES: Final = 3
_FAMILY_S: Final = 0.5


class Outputs(NamedTuple):
    """What :class:`.network.Logits` says of one recording, as probabilities.

    Attributes
    ----------
    onset, offset, frame, velocity : np.ndarray, shape (T, 88), float32 in [0, 1]
    bend : np.ndarray, shape (T, 88), float32, semitones
    family : np.ndarray, shape (T, 88, len(FAMILIES)), float32 in [0, 1]
    drum_onset, drum_velocity : np.ndarray, shape (T, len(DRUMS)), float32 in [0, 1]
    """

    onset: Activations
    offset: Activations
    frame: Activations
    velocity: Activations
    bend: Activations
    family: Activations
    drum_onset: Activations
    drum_velocity: Activations


@dataclass(frozen=True, slots=True)
class DecodingOptions:
    """Thresholds.

    Attributes
    ----------
    onset, frame, offset : float
        Of probabilities.
    drum_onset : tuple of float
        One for each percussion sound.
    gap_frames : int
        A note goes on across fewer frames than this below the threshold.
    min_note_s : float
        Shorter ones are left out.
    family_share : float
        A family with a smaller share of the notes is taken for another one misheard.
    """

    onset: float = 0.4
    frame: float = 0.35
    offset: float = 0.25
    drum_onset: tuple[float, ...] = (0.4,) * len(DRUMS)
    gap_frames: int = 2
    min_note_s: float = 0.03
    family_share: float = 0.08


def decode_notes(
    outputs: Outputs, frame_rate_hz: float, options: DecodingOptions | None = None
) -> dict[str, list[NoteEvent]]:
    """Return each family's notes, sorted; families without any are left out."""
    options = options or DecodingOptions()
    notes: list[NoteEvent] = []
    likeness: list[Activations] = []
    last = len(outputs.frame)
    starts, pitches = np.nonzero(peaks(outputs.onset, options.onset))
    order = np.lexsort((starts, pitches))
    starts, pitches = starts[order], pitches[order]
    silent = _next_silence(outputs.frame < options.frame, options.gap_frames)
    following = np.append(starts, last)[1:]
    following[:-1][pitches[1:] != pitches[:-1]] = last
    family_frames = round(_FAMILY_S * frame_rate_hz)
    for start, pitch, again in zip(
        starts.tolist(), pitches.tolist(), following.tolist(), strict=True
    ):
        stop = min(int(silent[min(start + 1, last - 1), pitch]), again)
        onset = start + apex(outputs.onset[:, pitch], start)
        offset = _refine(outputs.offset[:, pitch], stop, options.offset)
        if again < last:
            offset = min(offset, again + apex(outputs.onset[:, pitch], again))
        if offset - onset < options.min_note_s * frame_rate_hz:
            continue
        sounding = slice(start, max(stop, start + 1))
        early = slice(start, min(sounding.stop, start + family_frames))
        likeness.append(outputs.family[early, pitch].mean(axis=0, dtype=np.float32))
        weight = outputs.frame[sounding, pitch] + 1e-3
        bend = float((outputs.bend[sounding, pitch] * weight).sum() / weight.sum())
        note = NoteEvent(
            onset_s=max(onset, 0.0) / frame_rate_hz,
            offset_s=offset / frame_rate_hz,
            pitch=pitch + LOWEST_PITCH,
            velocity=_to_velocity(outputs.velocity[start, pitch]),
            pitch_cents=100 * min(max(bend, -0.5), 0.5),
        )
        notes.append(note)
    if not notes:
        return {}
    families = settle_families(np.array(likeness), options.family_share)
    own: dict[str, list[NoteEvent]] = {}
    for family, note in zip(families.tolist(), notes, strict=True):
        own.setdefault(FAMILIES[family], []).append(note)
    return {family: sorted(own[family]) for family in FAMILIES if family in own}


def settle_families(likeness: Activations, least_share: float) -> NDArray[np.intp]:
    """Return each note's family: its likeliest among those that no smaller one's notes went to.

    Families whose share of the notes is too small are dissolved, the smallest first.

    Parameters
    ----------
    likeness : np.ndarray, shape (N, len(FAMILIES))
    least_share : float

    Returns
    -------
    np.ndarray of int, shape (N,)
    """
    there = np.ones(likeness.shape[1], bool)
    while True:
        families: NDArray[np.intp] = np.where(there, likeness, -1.0).argmax(axis=1)
        counts = np.bincount(families, minlength=len(there)).astype(float)
        counts[~there] = np.inf
        counts[counts == 0] = np.inf
        smallest = int(counts.argmin())
        if counts[smallest] >= least_share * len(likeness):
            return families
        there[smallest] = False


def decode_drums(
    outputs: Outputs, frame_rate_hz: float, options: DecodingOptions | None = None
) -> list[NoteEvent]:
    """Return hits, sorted, their sounds as General MIDI's percussion keys."""
    options = options or DecodingOptions()
    thresholds = np.array(options.drum_onset, np.float32)
    hits = []
    for start, sound in zip(*np.nonzero(peaks(outputs.drum_onset, thresholds)), strict=True):
        onset_s = max(start + apex(outputs.drum_onset[:, sound], start), 0.0) / frame_rate_hz
        velocity = _to_velocity(outputs.drum_velocity[start, sound])
        hits.append(NoteEvent(onset_s, onset_s + 0.1, DRUM_KEYS[sound], velocity))
    return sorted(hits)


def peaks(activations: Activations, threshold: float | Activations) -> NDArray[np.bool_]:
    """Return where a course in time, shape (T, ...), is over a threshold and peaks."""
    around = np.pad(activations, [(1, 1)] + [(0, 0)] * (activations.ndim - 1))
    found: NDArray[np.bool_] = (
        (activations >= threshold) & (activations > around[:-2]) & (activations >= around[2:])
    )
    return found


def apex(course: Activations, peak: int) -> float:
    """Return how many frames after a peak the triangle through it has its apex, in [-0.5, 0.5]."""
    before = float(course[peak - 1]) if peak else 0.0
    after = float(course[peak + 1]) if peak + 1 < len(course) else 0.0
    height = float(course[peak]) - min(before, after)
    return 0.5 * (after - before) / height if height > 0 else 0.0


def _next_silence(silent: NDArray[np.bool_], gap: int) -> NDArray[np.intp]:
    """Return for each frame and pitch the first frame from there on at which a silence of ``gap``
    frames begins; the end where there is none."""
    last = len(silent)
    whole = np.pad(silent, [(0, gap - 1), (0, 0)], constant_values=True)
    for shift in range(1, gap):
        whole[:last] &= whole[shift : shift + last]
    frames = np.where(whole[:last], np.arange(last)[:, None], last)
    nearest: NDArray[np.intp] = np.minimum.accumulate(frames[::-1], axis=0)[::-1]
    return nearest


def _refine(course: Activations, stop: int, threshold: float) -> float:
    """Return where near a stop a note ends by the offset output, or the stop itself."""
    first = max(stop - _REACH_FRAMES, 0)
    near = course[first : stop + _REACH_FRAMES + 1]
    if not len(near) or near.max() < threshold:
        return float(stop)
    best = first + int(near.argmax())
    return best + apex(course, best)


def _to_velocity(activation: np.float32) -> int:
    return min(max(round(127 * float(activation)), 1), 127)
