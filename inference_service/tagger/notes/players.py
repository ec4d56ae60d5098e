"""Divides the notes of instruments between players.

A player of strings, winds or brass plays one line, others play chords. If no instrument of chords
stands out and the lines are few, the notes are divided into lines first, by register, and the
family of a line is that of its notes together: a single note tells less about its timbre. Otherwise
each family that plays chords is one part, and the other families are divided into lines.

Constants are set by hand; they are not fitted.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from inference_service.music.events import NoteEvent, Part
from inference_service.music.families import FAMILIES, program_of
from inference_service.tagger.notes.decoding import DecodingOptions, settle_families

Probabilities = NDArray[np.float32]

LINE_FAMILIES: Final = ("strings", "brass", "winds")
MOST_LINES: Final = 5
"""With more players of lines, a part is one for all of its family."""

MOST_CHORDAL: Final = 0.35
"""Largest mean probability of a family that plays chords if lines come first. In three chorales for
a violin and three winds it is 0.16, and 0.8 for guitars."""

TOGETHER_S: Final = 0.05
OVERLAP_S: Final = 0.1
"""Notes of one line may overlap by as much: rooms ring, and players play legato."""

BUSY_SHARE: Final = 0.06
"""Share of the sounding time in which as many players as there are must sound together."""

SURE: Final = 0.7
"""Least mean probability of a family for a part to have its name. Of rendered tracks that were held
out, 0.98 of those above it have the right family (experiment 022)."""

_REGISTER_SEMITONES: Final = 5.0
_LEAP_SEMITONES: Final = 12.0
_OVERLAP_COST: Final = 4.0
_ROUNDS: Final = 3


def divide(notes: Sequence[NoteEvent], probabilities: Probabilities) -> list[Part]:
    """Return a part for each player.

    Parameters
    ----------
    notes : sequence of NoteEvent
        In any order.
    probabilities : np.ndarray, shape (N, len(FAMILIES))
        Of each family, for each note. Voices are not expected: their probability is ignored.
    """
    if not notes:
        return []
    order = sorted(range(len(notes)), key=lambda index: notes[index])
    notes = [notes[index] for index in order]
    odds = _among(probabilities[order], set(FAMILIES) - {"voice"})
    lines = count_lines(notes)
    chordal = [FAMILIES.index(family) for family in set(FAMILIES) - {*LINE_FAMILIES, "voice"}]
    if float(odds[:, chordal].mean(0).max()) <= MOST_CHORDAL and lines <= MOST_LINES:
        groups = split_lines(notes, lines)
        players = [np.flatnonzero(groups == line) for line in range(lines)]
        return _name(notes, _among(odds, set(LINE_FAMILIES)), players)
    families = settle_families(odds, DecodingOptions().family_share)
    parts: list[NDArray[np.intp]] = []
    for family in np.unique(families):
        own = np.flatnonzero(families == family)
        members = [notes[index] for index in own]
        count = count_lines(members)
        if FAMILIES[family] in LINE_FAMILIES and count <= MOST_LINES:
            groups = split_lines(members, count)
            parts.extend(own[groups == line] for line in range(count))
        else:
            parts.append(own)
    return _name(notes, odds, parts)


def _among(probabilities: Probabilities, families: Set[str]) -> Probabilities:
    """Return the probabilities of some families, given that it is one of them."""
    kept = np.where([family in families for family in FAMILIES], probabilities, 0.0)
    return np.asarray(kept / np.maximum(kept.sum(1, keepdims=True), 1e-6), np.float32)


def count_lines(notes: Sequence[NoteEvent]) -> int:
    """Return how many lines sorted notes make: as many as often sound together."""
    changes = sorted(
        change
        for note in notes
        for change in (
            (note.onset_s, 1),
            (max(note.offset_s - OVERLAP_S, note.onset_s + 0.5 * OVERLAP_S), -1),
        )
    )
    seconds: dict[int, float] = {}
    sounding, before_s = 0, 0.0
    for time_s, step in changes:
        seconds[sounding] = seconds.get(sounding, 0.0) + time_s - before_s
        sounding += step
        before_s = time_s
    total_s = sum(length for count, length in seconds.items() if count)
    counts = sorted(seconds, reverse=True)
    busy_s = 0.0
    for count in counts:
        busy_s += seconds[count]
        if count <= 1 or busy_s >= BUSY_SHARE * total_s:
            return max(count, 1)
    return 1


def split_lines(notes: Sequence[NoteEvent], lines: int) -> NDArray[np.intp]:
    """Return the line of each of the sorted notes, 0 for the highest.

    Notes that begin together go to different lines, where there are enough. A line prefers notes in
    its register and near its last one, and waits until that has ended. Registers are estimated, and
    the notes assigned, alternately.
    """
    if lines == 1 or not notes:
        return np.zeros(len(notes), np.intp)
    pitches = np.array([note.pitch for note in notes], float)
    registers = np.quantile(pitches, 1 - (np.arange(lines) + 0.5) / lines)
    together = _find_chords(notes, lines)
    if together:
        registers = np.mean([sorted(pitches[chord], reverse=True) for chord in together], axis=0)
    own = np.zeros(len(notes), np.intp)
    for _ in range(_ROUNDS):
        own = _assign(notes, registers)
        registers = np.array(
            [
                pitches[own == line].mean() if (own == line).any() else registers[line]
                for line in range(lines)
            ]
        )
    ranks = np.argsort(np.argsort(-registers))
    return ranks[own]


def _find_chords(notes: Sequence[NoteEvent], size: int) -> list[list[int]]:
    """Return the attacks at which exactly as many notes sound."""
    found = []
    for attack in _attacks(notes):
        start_s = notes[attack[0]].onset_s
        held = [
            index
            for index in range(max(attack[0] - 4 * size, 0), attack[0])
            if notes[index].offset_s > start_s + OVERLAP_S
        ]
        if len(held) + len(attack) == size:
            found.append([*held, *attack])
    return found


def _attacks(notes: Sequence[NoteEvent]) -> list[list[int]]:
    attacks: list[list[int]] = []
    for index, note in enumerate(notes):
        if attacks and note.onset_s - notes[attacks[-1][0]].onset_s <= TOGETHER_S:
            attacks[-1].append(index)
        else:
            attacks.append([index])
    return attacks


def _assign(notes: Sequence[NoteEvent], registers: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the line of each note, given the mean pitch of each line."""
    own = np.zeros(len(notes), np.intp)
    last_pitches = registers.copy()
    ends_s = np.full(len(registers), -np.inf)
    for attack in _attacks(notes):
        pitches = np.array([notes[index].pitch for index in attack], float)[:, None]
        start_s = notes[attack[0]].onset_s
        cost = ((pitches - registers) / _REGISTER_SEMITONES) ** 2
        cost += np.abs(pitches - last_pitches) / _LEAP_SEMITONES
        cost += _OVERLAP_COST * (ends_s > start_s + OVERLAP_S)
        rows, columns = linear_sum_assignment(cost)
        chosen = cost.argmin(1)  # a double stop, where notes outnumber lines
        chosen[rows] = columns
        for index, line in zip(attack, chosen.tolist(), strict=True):
            own[index] = line
            last_pitches[line] = notes[index].pitch
            ends_s[line] = notes[index].offset_s
    return own


def _mean(odds: Probabilities) -> Probabilities:
    """Return the geometric mean of probabilities, shape (N, F), as probabilities."""
    logarithm = np.log(odds + 1e-6).mean(0)
    mean = np.exp(logarithm - logarithm.max())
    return np.asarray(mean / mean.sum(), np.float32)


def _name(
    notes: Sequence[NoteEvent], odds: Probabilities, parts: Sequence[NDArray[np.intp]]
) -> list[Part]:
    """Return parts named after their families where these are sure, and numbered."""
    parts = [part for part in parts if len(part)]
    means = [_mean(odds[part]) for part in parts]
    families = [FAMILIES[int(mean.argmax())] for mean in means]
    names = [
        family.capitalize() if mean.max() >= SURE else "Part"
        for family, mean in zip(families, means, strict=True)
    ]
    named: list[Part] = []
    for number, (part, family, name) in enumerate(zip(parts, families, names, strict=True)):
        is_only = names.count(name) == 1 and name != "Part"
        place = number if name == "Part" else names[:number].count(name)
        title = name if is_only else f"{name} {place + 1}"
        own = tuple(notes[index] for index in part)
        named.append(Part(title.lower().replace(" ", "-"), title, own, program_of(family)))
    return named
