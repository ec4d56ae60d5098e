"""Decode the note network's outputs to notes.

A note begins at a peak of the onset activation, at the apex of the triangle through the peak and
its neighbours (Kong and others, "High-resolution piano transcription with pedals by regressing
onset and offset times", IEEE TASLP 2021, equation 8). It ends where the frame activation has been
below its threshold for :attr:`DecodingOptions.gap_frames`, or where the next note of its pitch
begins. A peak of the offset activation nearby then refines the end. The family is the one with the
greatest mean probability over the first half second, among the families that have enough notes.

Thresholds are stored with the weights. They were chosen on rendered development music, never on
recordings that figures are stated for (``python -m model_zoo.training.tagger export``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from inference_service.music.events import NoteEvent
from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import DRUMS, LOWEST_PITCH

Activations = NDArray[np.floating]

DECODING_KEY: Final = "decoding"
"""Metadata key of the :class:`DecodingOptions`, as JSON, in a file of weights."""

DRUM_KEYS: Final = (36, 38, 42, 46, 45, 49, 51, 39)
"""General MIDI key of each percussion sound of the network; hand clap for "other"."""

_REACH_FRAMES: Final = 3
_FAMILY_S: Final = 0.5


class Outputs(NamedTuple):
    """The network's outputs for one recording, as probabilities; see :class:`.network.Logits`.

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
    """Thresholds of the decoder.

    Attributes
    ----------
    onset, frame, offset : float
        Thresholds of activations.
    drum_onset : tuple of float
        Threshold of each percussion sound.
    gap_frames : int
        Number of frames below the threshold after which a note ends.
    min_note_s : float
        Shorter notes are dropped.
    family_share : float
        A family with a smaller share of the notes is taken to be an error, and its notes are given
        to other families.
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
    """Return the notes of each family, sorted; families without notes are omitted."""
    options = options or DecodingOptions()
    return group_by_family(*find_notes(outputs, frame_rate_hz, options), options.family_share)


def find_notes(
    outputs: Outputs, frame_rate_hz: float, options: DecodingOptions
) -> tuple[list[NoteEvent], Activations]:
    """Return the pitched notes, and the probability of each family for each, shape (N, F)."""
    notes: list[NoteEvent] = []
    probabilities: list[Activations] = []
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
        probabilities.append(outputs.family[early, pitch].mean(axis=0, dtype=np.float32))
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
    return notes, np.array(probabilities, np.float32).reshape(-1, len(FAMILIES))


def group_by_family(
    notes: Sequence[NoteEvent], probabilities: Activations, least_share: float
) -> dict[str, list[NoteEvent]]:
    """Return the notes of each family, sorted; families without notes are omitted.

    Parameters are those of :func:`settle_families`, with the N notes.
    """
    own: dict[str, list[NoteEvent]] = {}
    families = settle_families(probabilities, least_share).tolist()
    for family, note in zip(families, notes, strict=True):
        own.setdefault(FAMILIES[family], []).append(note)
    return {family: sorted(own[family]) for family in FAMILIES if family in own}


def settle_families(probabilities: Activations, least_share: float) -> NDArray[np.intp]:
    """Return the family of each note: the most probable one that has enough notes.

    Families whose share of the notes is too small are removed, the smallest first.

    Parameters
    ----------
    probabilities : np.ndarray, shape (N, len(FAMILIES))
        Probability of each family for each note.
    least_share : float
        Least share of the notes.

    Returns
    -------
    np.ndarray of int, shape (N,)
    """
    kept = np.ones(probabilities.shape[1], bool)
    while True:
        families: NDArray[np.intp] = np.where(kept, probabilities, -1.0).argmax(axis=1)
        counts = np.bincount(families, minlength=len(kept)).astype(float)
        counts[~kept] = np.inf
        counts[counts == 0] = np.inf
        smallest = int(counts.argmin())
        if counts[smallest] >= least_share * len(probabilities):
            return families
        kept[smallest] = False


def decode_drums(
    outputs: Outputs, frame_rate_hz: float, options: DecodingOptions | None = None
) -> list[NoteEvent]:
    """Return the drum strokes, sorted, with General MIDI percussion keys as pitches."""
    options = options or DecodingOptions()
    thresholds = np.array(options.drum_onset, np.float32)
    hits = []
    for start, sound in zip(*np.nonzero(peaks(outputs.drum_onset, thresholds)), strict=True):
        onset_s = max(start + apex(outputs.drum_onset[:, sound], start), 0.0) / frame_rate_hz
        velocity = _to_velocity(outputs.drum_velocity[start, sound])
        hits.append(NoteEvent(onset_s, onset_s + 0.1, DRUM_KEYS[sound], velocity))
    return sorted(hits)


def peaks(activations: Activations, threshold: float | Activations) -> NDArray[np.bool_]:
    """Return where activations, shape (T, ...), have a local maximum in time above a threshold."""
    around = np.pad(activations, [(1, 1)] + [(0, 0)] * (activations.ndim - 1))
    found: NDArray[np.bool_] = (
        (activations >= threshold) & (activations > around[:-2]) & (activations >= around[2:])
    )
    return found


def apex(course: Activations, peak: int) -> float:
    """Return the offset, in frames in [-0.5, 0.5], of the apex of the triangle through a peak."""
    before = float(course[peak - 1]) if peak else 0.0
    after = float(course[peak + 1]) if peak + 1 < len(course) else 0.0
    height = float(course[peak]) - min(before, after)
    return 0.5 * (after - before) / height if height > 0 else 0.0


def _next_silence(silent: NDArray[np.bool_], gap: int) -> NDArray[np.intp]:
    """Return for each frame and pitch the start of the next silence of at least ``gap`` frames.

    Where there is none, it is the end of the recording.
    """
    last = len(silent)
    whole = np.pad(silent, [(0, gap - 1), (0, 0)], constant_values=True)
    for shift in range(1, gap):
        whole[:last] &= whole[shift : shift + last]
    frames = np.where(whole[:last], np.arange(last)[:, None], last)
    nearest: NDArray[np.intp] = np.minimum.accumulate(frames[::-1], axis=0)[::-1]
    return nearest


def _refine(course: Activations, stop: int, threshold: float) -> float:
    """Return the peak of the offset activation near ``stop``, or else ``stop`` itself."""
    first = max(stop - _REACH_FRAMES, 0)
    near = course[first : stop + _REACH_FRAMES + 1]
    if not len(near) or near.max() < threshold:
        return float(stop)
    best = first + int(near.argmax())
    return best + apex(course, best)


def _to_velocity(activation: np.float32) -> int:
    return min(max(round(127 * float(activation)), 1), 127)
