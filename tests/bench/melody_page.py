"""How well the written page of a melody agrees with the page that was performed.

A page is judged by the performance that it was written from. Its notes are aligned with the
performed notes by pitch and order (:func:`align_notes`), so that each has a time, and then matched
with the notes of the reference by time, within :data:`TOGETHER_S`. Written notes are those of the
first part, with ties joined and grace notes left out. Slips of the performer, which the reference
marks, are not judged.

The figures of a page, each in [0, 1]:

heard
    Share of the reference's notes that have a written note.
pitch
    Share of the matched notes whose pitch is the reference's, up to one transposition of the page.
value
    Share of matched neighbours whose written interval in time is the reference's. Before comparing,
    the page's values are multiplied by the scale of 1, 1/2 and 2 that fits best.
metre
    1 if the time signature is the reference's or one that it names as equally right, at a scale
    of 1 or one that it names; else 0.
barline
    Share of the matched notes that stand at the right place in their bar, at that scale and for the
    best of the right metres.
bars
    Share of the reference's bars whose notes are all matched and have the right pitch, value and
    place.

A page without notes, or with none that match, has 0 throughout. Positions are in quarter notes.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass, fields
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np

from inference_service.music.events import NoteEvent
from inference_service.music.metre import COMMON_TIME, TimeSignature, parse_time_signature
from inference_service.notation.partwise import join_ties, read_parts

TOGETHER_S: Final = 0.12
SCALES: Final = (1.0, 0.5, 2.0)

_NEAR_QUARTERS: Final = 0.02
_UNPAIRED_COST: Final = 1.0
_SEMITONE_COST: Final = 0.6
_OTHER_PITCH_COST: Final = 2.5
"""Above two notes without partners, so that such a pair is never formed."""


@dataclass(frozen=True, slots=True)
class ReferenceNote:
    """A note of the page that was performed.

    ``time_s`` is its onset in the recording, ``position_quarters`` counts from the start of the
    first full bar, and ``pitch`` is the MIDI number that was meant.
    """

    time_s: float
    position_quarters: float
    pitch: int


@dataclass(frozen=True, slots=True)
class ReferencePage:
    """The page that was performed.

    Attributes
    ----------
    exercise : str
        Name of the piece, of which there may be several recordings.
    metres : tuple of TimeSignature
        The printed time signature, then others that are equally right.
    scales : tuple of float
        Factors, beside 1, by which a page's values may differ from the printed ones: multiplied by
        one, the page's become the printed values.
    notes : tuple of ReferenceNote
        In order, without slips.
    """

    exercise: str
    metres: tuple[TimeSignature, ...]
    notes: tuple[ReferenceNote, ...]
    scales: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class PageNote:
    """A written note: its onset from the start of the page and within its bar, and its pitch.

    In a pickup, ``place_quarters`` counts as if the bar were complete.
    """

    position_quarters: Fraction
    place_quarters: Fraction
    pitch: int


@dataclass(frozen=True, slots=True)
class MelodyPage:
    """The notes of a page in order, and its first time signature."""

    notes: tuple[PageNote, ...]
    metre: TimeSignature = COMMON_TIME


@dataclass(frozen=True, slots=True)
class PageFigures:
    """The figures of a page, as the module defines them."""

    heard: float = 0.0
    pitch: float = 0.0
    value: float = 0.0
    metre: float = 0.0
    barline: float = 0.0
    bars: float = 0.0


FIGURES: Final = tuple(field.name for field in fields(PageFigures))


def read_reference(path: Path, labels: Path) -> ReferencePage:
    """Read a reference of ``voice_pages`` and the onsets of its recording.

    Parameters
    ----------
    path : Path
        A JSON file with the written notes, each with the row of ``labels`` that performs it.
    labels : Path
        A text file whose first column has onsets in seconds.
    """
    page = json.loads(path.read_text(encoding="utf-8"))
    onsets_s = np.loadtxt(labels, ndmin=2)[:, 0]
    return ReferencePage(
        exercise=page["exercise"],
        metres=tuple(
            parse_time_signature(text)
            for text in (page["metre"], *page.get("metre_alternatives", ()))
        ),
        notes=tuple(
            ReferenceNote(
                float(onsets_s[note["label_index"]]), note["position_quarters"], note["pitch"]
            )
            for note in page["notes"]
            if not note["slip"]
        ),
        scales=tuple(page.get("value_scale_alternatives", ())),
    )


def read_page(musicxml: bytes) -> MelodyPage:
    """Read the first part of a partwise MusicXML file; a short first bar is a pickup.

    Raises
    ------
    xml.etree.ElementTree.ParseError
        If this is no XML.
    ValueError
        If a number or a note in it is invalid.
    """
    parts = read_parts(ElementTree.fromstring(musicxml))
    if not parts or not parts[0].measures:
        return MelodyPage(())
    measures = parts[0].measures
    first = measures[0]
    metre = TimeSignature(first.beats, first.unit)
    missing_q = max(_bar_quarters(metre) - first.length_q, Fraction(0))
    starts_q = [Fraction(0)]
    for measure in measures:
        starts_q.append(starts_q[-1] + measure.length_q)
    joined = join_ties(
        (start_q, note)
        for start_q, measure in zip(starts_q, measures, strict=False)
        for note in measure.notes
        if not note.is_grace
    )
    return MelodyPage(
        tuple(
            sorted(
                PageNote(
                    note.start_q,
                    note.note.start_q + (missing_q if note.start_q < first.length_q else 0),
                    note.note.pitch,
                )
                for note in joined
            )
        ),
        metre,
    )


def align_notes(page: Sequence[PageNote], performed: Sequence[NoteEvent]) -> dict[int, int]:
    """Align written notes with performed ones, both in order.

    The cheapest alignment by pitch: octaves cost nothing, a semitone less than leaving both notes
    without a partner, any other interval more.

    Returns
    -------
    dict of int to int
        Indices of written notes to those of performed notes.
    """
    rows, columns = len(page), len(performed)
    apart = np.abs(
        np.array([note.pitch for note in page], np.int64)[:, None]
        - np.array([note.pitch for note in performed], np.int64)
    )
    pair = np.where(apart % 12 == 0, 0.0, np.where(apart == 1, _SEMITONE_COST, _OTHER_PITCH_COST))
    cost = np.zeros((rows + 1, columns + 1))
    cost[:, 0], cost[0] = np.arange(rows + 1), np.arange(columns + 1)
    for i in range(rows):
        for j in range(columns):
            unpaired = min(cost[i, j + 1], cost[i + 1, j]) + _UNPAIRED_COST
            cost[i + 1, j + 1] = min(cost[i, j] + pair[i, j], unpaired)
    found: dict[int, int] = {}
    i, j = rows, columns
    while i and j:
        if np.isclose(cost[i, j], cost[i - 1, j - 1] + pair[i - 1, j - 1]):
            found[i - 1] = j - 1
            i, j = i - 1, j - 1
        elif np.isclose(cost[i, j], cost[i - 1, j] + _UNPAIRED_COST):
            i -= 1
        else:
            j -= 1
    return found


def judge(
    reference: ReferencePage, page: MelodyPage, performed: Sequence[NoteEvent]
) -> PageFigures:
    """Return the figures of a page.

    Parameters
    ----------
    reference : ReferencePage
    page : MelodyPage
    performed : sequence of NoteEvent
        The notes, in order, that the page was written from.
    """
    aligned = align_notes(page.notes, performed)
    matched = _match(reference.notes, {i: performed[j].onset_s for i, j in aligned.items()})
    if not matched:
        return PageFigures()
    pairs = {k: (reference.notes[k], page.notes[i]) for k, i in matched.items()}
    transpositions = Counter(note.pitch - true.pitch for true, note in pairs.values())
    ((transposition, _),) = transpositions.most_common(1)
    pitch = {k: note.pitch - true.pitch == transposition for k, (true, note) in pairs.items()}
    scale, value = max(
        ((scale, _judge_values(pairs, scale)) for scale in SCALES),
        key=lambda judged: (_share(judged[1]), judged[0] == 1.0),
    )
    barline = max((_judge_places(pairs, scale, metre) for metre in reference.metres), key=_share)
    bars: defaultdict[int, list[bool]] = defaultdict(list)
    bar_quarters = float(_bar_quarters(reference.metres[0]))
    for k, true in enumerate(reference.notes):
        right = k in pairs and pitch[k] and barline[k] and value.get(k, True)
        bars[int(np.floor(true.position_quarters / bar_quarters + 1e-6))].append(right)
    is_right_metre = page.metre in reference.metres and scale in (1.0, *reference.scales)
    return PageFigures(
        heard=len(pairs) / len(reference.notes),
        pitch=_share(pitch),
        value=_share(value),
        metre=float(is_right_metre),
        barline=_share(barline),
        bars=float(np.mean([all(notes) for notes in bars.values()])),
    )


def mean_figures(figures: Sequence[PageFigures]) -> PageFigures:
    """Return the mean of each figure."""
    return PageFigures(*np.mean([astuple(page) for page in figures], axis=0).tolist())


def _match(notes: Sequence[ReferenceNote], times_s: Mapping[int, float]) -> dict[int, int]:
    """Match each reference note, in order, with the nearest written note that is still free."""
    matched: dict[int, int] = {}
    free = dict(times_s)
    for k, note in enumerate(notes):
        near = [(abs(time_s - note.time_s), i) for i, time_s in free.items()]
        distance_s, i = min(near, default=(TOGETHER_S, -1))
        if distance_s < TOGETHER_S:
            matched[k] = i
            del free[i]
    return matched


_Pairs = Mapping[int, tuple[ReferenceNote, PageNote]]
"""Matched notes by their index in the reference."""


def _judge_values(pairs: _Pairs, scale: float) -> dict[int, bool]:
    """Return, for each note whose predecessor is matched too, whether their interval is right."""
    right = {}
    for before, k in pairwise(sorted(pairs)):
        if k == before + 1:
            (true_from, written_from), (true, written) = pairs[before], pairs[k]
            interval = float(written.position_quarters - written_from.position_quarters) * scale
            due = true.position_quarters - true_from.position_quarters
            right[k] = abs(interval - due) < _NEAR_QUARTERS
    return right


def _judge_places(pairs: _Pairs, scale: float, metre: TimeSignature) -> dict[int, bool]:
    """Return whether each note stands at the right place in its bar."""
    half_bar = float(_bar_quarters(metre)) / 2
    right = {}
    for k, (true, written) in pairs.items():
        off_by = float(written.place_quarters) * scale - true.position_quarters
        right[k] = abs((off_by + half_bar) % (2 * half_bar) - half_bar) < _NEAR_QUARTERS
    return right


def _bar_quarters(metre: TimeSignature) -> Fraction:
    return metre.beats * metre.beat_quarters


def _share(right: Mapping[int, bool]) -> float:
    return float(np.mean(list(right.values()))) if right else 0.0
