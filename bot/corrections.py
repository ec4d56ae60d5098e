"""From wishes about a page to what is asked of the service.

Corrections are absolute, in terms of the uncorrected result, while people speak of the page that
they see: "one beat later", "twice as slow", "in G" under a transposed page. :func:`fulfil` turns
the one into the other, from the :class:`~bot.client.types.Result` that describes the page.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.buttons import MAX_TRANSPOSITION
from bot.client.types import (
    Alternative,
    BarRange,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    Mode,
    Part,
    PartCorrection,
    RenderOptions,
    Result,
    Triplets,
)
from bot.wishes.values import (
    AllBars,
    BarsAre,
    ChordsAre,
    ClefIs,
    FeelIs,
    FinestIs,
    InstrumentIs,
    KeyIs,
    LastBars,
    Metre,
    PartIs,
    PitchesAre,
    Rescale,
    ShiftBars,
    Tempo,
    Transpose,
    TransposeTo,
    TripletsAre,
    Unit,
    Untransposed,
    ViewIs,
    Wish,
)

DOUBT: Final = 0.75
"""A metre or key that is less probable than this is shown with a question mark."""

TEMPO_OCTAVES: Final = 0.25
"""How far a tempo may be from the one wished for, as a power of two: a fifth."""

TONICS: Final[dict[Mode, tuple[str, ...]]] = {
    "major": ("C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"),
    "minor": ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "G#", "A", "Bb", "B"),
}
"""The usual tonic on each semitone from C."""

_NATURALS: Final = {"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11}
_PROGRAMS: Final = {
    "piano": range(8),
    "guitar": range(24, 32),
    "bass": range(32, 40),
    "vocals": range(52, 55),
}
_RHYTHM: Final = (Metre, Tempo, Rescale, ShiftBars)
_QUARTERS: Final[dict[Unit, float]] = {"quarter": 1.0, "eighth": 0.5}


class WishError(Exception):
    """A wish does not fit the page.

    Parameters
    ----------
    text : str
        Message id of the explanation.
    values : str
        What its text puts in.
    """

    def __init__(self, text: str, **values: str) -> None:
        super().__init__(text)
        self.text = text
        self.values = values


def in_steps(wishes: Iterable[Wish]) -> list[list[Wish]]:
    """Divide wishes so that those relative to bars and tempo begin a step of their own.

    Where a metre or tempo is wished before them, the service has to say what the page is by then.
    There is one step at least.
    """
    steps: list[list[Wish]] = [[]]
    for wish in wishes:
        is_relative = isinstance(wish, Rescale | ShiftBars)
        if is_relative and any(isinstance(earlier, _RHYTHM) for earlier in steps[-1]):
            steps.append([])
        steps[-1].append(wish)
    return steps


def fulfil(wishes: Iterable[Wish], result: Result) -> RenderOptions:
    """Return how to render a result so that the page becomes as wished.

    Parameters
    ----------
    wishes : iterable of Wish
        One step of :func:`in_steps`. Those that ask for no page are passed over.
    result : Result
        Describes the page that is shown.

    Returns
    -------
    RenderOptions
        The view, transposition, chords and pitches of the page, changed as wished, and corrections
        to add to those of the result.

    Raises
    ------
    WishError
        If there is no such part, or no such bar, or the transposition is too large.
    """
    draft = _Draft(result)
    for wish in wishes:
        draft.add(wish)
    return draft.options


def check_tempo(wishes: Iterable[Wish], page: Result) -> None:
    """Refuse a tempo that no values come near: the music was played as it was.

    Raises
    ------
    WishError
        If the page's tempo is not the one wished for.
    """
    for wish in wishes:
        if isinstance(wish, Tempo) and abs(math.log2(page.tempo_bpm / wish.bpm)) > TEMPO_OCTAVES:
            tempos = (page.tempo_bpm / 2, page.tempo_bpm, page.tempo_bpm * 2)
            raise WishError("wish.no_tempo", tempos=", ".join(f"{tempo:.0f}" for tempo in tempos))


def shown_as(result: Result) -> RenderOptions:
    """Return how a result is shown, without further corrections."""
    return RenderOptions(
        view=result.view,
        transpose_semitones=result.transpose_semitones,
        simple_chords=result.simple_chords,
        pitches=result.pitches,
    )


def transpose_key(key: Key, semitones: int) -> Key:
    """Return a key moved by semitones, with its usual tonic; unmoved, it keeps its spelling."""
    if semitones % 12 == 0:
        return key
    return Key(TONICS[key.mode][(_semitone(key) + semitones) % 12], key.mode)


def written_beats(time_signature: str) -> tuple[float, float]:
    """Return the length of a beat, as people count it, in quarters, and the beats of a bar.

    >>> written_beats("6/8")
    (1.5, 2.0)
    """
    upper, _, lower = time_signature.partition("/")
    unit, count = 4 / int(lower or 4), int(upper or 4)
    pulse = 3 if count > 3 and count % 3 == 0 and unit < 1 else 1
    return unit * pulse, count / pulse


def beat_step(result: Result) -> float:
    """Return how many heard beats a written beat of the page lasts."""
    return written_beats(result.time_signature)[0] * _heard_per_quarter(result)


def likeliest(result: Result) -> list[Alternative]:
    """Return the readings that differ from the page, the likeliest first.

    What the reader has corrected stays as it is. Where only the key is in doubt, readings of
    the page's rhythm come first; where only the metre is, readings in its key.
    """
    kept = (_keep_corrected(other, result) for other in result.alternatives)
    others = [other for other in kept if reading_edit(other, result)]
    if is_doubtful(result.metre_probability) is not is_doubtful(result.key_probability):
        wants_rhythm = is_doubtful(result.metre_probability)
        others.sort(key=lambda other: has_same_rhythm(other, result) is wants_rhythm)
    return others


def _keep_corrected(other: Alternative, result: Result) -> Alternative:
    """Return a reading with the rhythm or the key of the page, if it is against corrections."""
    set_now = result.corrections
    is_other_metre = other.time_signature != result.time_signature
    is_rescaled = abs(other.beat_scale - result.beat_scale) >= 1e-3
    is_against = (
        (bool(set_now.time_signature) and is_other_metre)
        or (bool(set_now.beat_scale or set_now.tempo_bpm) and is_rescaled)
        or (bool(set_now.first_beat) and not is_other_metre)
    )
    if is_against:
        other = replace(
            other,
            time_signature=result.time_signature,
            beat_scale=result.beat_scale,
            first_beat=result.first_beat,
        )
    return other if set_now.key is None else replace(other, key=result.key)


def is_doubtful(probability: float) -> bool:
    """Whether a reading is to be shown with a question mark; one of unknown probability is not."""
    return 0 < probability < DOUBT


def reading_edit(other: Alternative, result: Result) -> Corrections | None:
    """Return the corrections that turn the page into another reading; None if it is that one.

    With a metre alone, the service takes the values and bar lines of its likeliest reading.
    """
    edit = Corrections()
    if not has_same_rhythm(other, result):
        edit = Corrections(other.time_signature)
        if not _is_usual(other, result):
            edit = replace(edit, beat_scale=other.beat_scale, first_beat=other.first_beat)
    if other.key != result.key:
        edit = replace(edit, key=other.key)
    return None if edit == Corrections() else edit


def _is_usual(other: Alternative, result: Result) -> bool:
    """Whether a reading is what the service makes of its metre, if nothing else is corrected."""
    set_now = result.corrections
    if set_now.beat_scale or set_now.tempo_bpm or set_now.first_beat:
        return False
    if other.time_signature == result.time_signature:
        return False
    first = next(x for x in result.alternatives if x.time_signature == other.time_signature)
    return (first.beat_scale, first.first_beat) == (other.beat_scale, other.first_beat)


def has_same_rhythm(other: Alternative, result: Result) -> bool:
    """Whether a reading writes the page's metre, values and bar lines."""
    return (
        other.time_signature == result.time_signature
        and abs(other.beat_scale - result.beat_scale) < 1e-3
        and abs(bar_shift(other.first_beat, result)) < 1e-3
    )


def bar_shift(first_beat: float, result: Result) -> float:
    """Return by how many written beats bar lines move if bar 1 begins at another heard beat.

    The shorter way round the bar; negative if they move to earlier beats.
    """
    step = beat_step(result)
    bar_beats = written_beats(result.time_signature)[1]
    beats = (first_beat - result.first_beat) / step if step else 0.0
    return (beats + bar_beats / 2) % bar_beats - bar_beats / 2


def find_part(result: Result, name: str) -> Part | None:
    """Return the part that a wish calls by an id of the service, such as "drums"."""
    programs = _PROGRAMS.get(name, range(0))

    def fit(part: Part) -> int:
        is_family = part.program in programs and not part.is_drum
        is_drum = name == "drums" and part.is_drum
        return 2 * (part.id == name) + (is_family or is_drum)

    best = max(result.parts, key=fit, default=None)
    return best if best is not None and fit(best) else None


def leading_part(result: Result) -> Part | None:
    """Return the part that clefs and instruments refer to if none is named: the singer's, or the
    first one with pitches.
    """
    pitched = [part for part in result.parts if not part.is_drum and not part.left_out]
    singer = find_part(result, "vocals")
    return singer if singer in pitched else next(iter(pitched), None)


def _semitone(key: Key) -> int:
    """The tonic's semitones above C."""
    signs = key.tonic[1:]
    return (_NATURALS[key.tonic[0]] + signs.count("#") - signs.count("b")) % 12


def _relative(key: Key) -> Key:
    """The key with the same signature in the other mode."""
    step, mode = (9, "minor") if key.mode == "major" else (3, "major")
    other: Mode = "minor" if mode == "minor" else "major"
    return Key(TONICS[other][(_semitone(key) + step) % 12], other)


def _heard_per_quarter(result: Result) -> float:
    """Heard beats in a written quarter of the page."""
    heard = result.alternatives[0].time_signature if result.alternatives else result.time_signature
    return 1 / (written_beats(heard)[0] * (result.beat_scale or 1.0))


@dataclass(slots=True)
class _Draft:
    """A page while wishes are added to it."""

    result: Result
    options: RenderOptions = field(init=False)

    def __post_init__(self) -> None:
        self.options = shown_as(self.result)

    @property
    def _edit(self) -> Corrections:
        return self.options.corrections

    @property
    def _key(self) -> Key:
        """The key, before transposition."""
        return self._edit.key or self.result.key

    def add(self, wish: Wish) -> None:
        """Add a wish; those that ask for no page change nothing."""
        match wish:
            case Metre():
                self._correct(time_signature=wish.time_signature)
            case Rescale():
                self._correct(beat_scale=self.result.beat_scale * wish.factor, tempo_bpm=0.0)
            case Tempo():
                self._correct(tempo_bpm=wish.bpm, beat_scale=0.0)
            case ShiftBars():
                self._shift_bars(wish)
            case KeyIs():
                self._set_key(wish)
            case FinestIs():
                self._correct(finest_value=FinestValue(wish.value))
            case TripletsAre():
                self._correct(triplets=Triplets.ALLOWED if wish.allowed else Triplets.NOT_ALLOWED)
            case FeelIs():
                self._correct(feel=Feel.SWING if wish.swung else Feel.STRAIGHT)
            case BarsAre():
                self._set_bars(wish)
            case LastBars():
                count = self.result.bar_count
                self._set_bars(BarsAre(max(count - wish.count + 1, 1), count or wish.count))
            case AllBars():
                self._correct(bars=None, as_heard=(*self._edit.as_heard, Correctable.BARS))
            case PartIs():
                self._leave_out(wish)
            case ClefIs():
                self._amend(self._find(wish.part), clef=Clef(wish.clef))
            case InstrumentIs():
                self._amend(self._find(wish.part), program=wish.program)
            case Transpose():
                self._transpose(self.options.transpose_semitones + wish.semitones)
            case TransposeTo():
                self._transpose_to(wish)
            case Untransposed():
                self._transpose(0)
            case PitchesAre():
                self.options = replace(self.options, pitches=wish.pitches)
            case ViewIs():
                self.options = replace(self.options, view=wish.view)
            case ChordsAre():
                self.options = replace(self.options, simple_chords=wish.simple)

    def _correct(self, **changes: Any) -> None:
        self.options = replace(self.options, corrections=replace(self._edit, **changes))

    def _shift_bars(self, wish: ShiftBars) -> None:
        result, step = self.result, beat_step(self.result)
        if wish.unit in _QUARTERS:
            unit = _QUARTERS[wish.unit] * _heard_per_quarter(result)
        else:
            unit = step / 2 if wish.unit == "half beat" else step
        first = result.first_beat + wish.count * unit
        while first <= 0:  # the same bar lines, counted from a later bar
            first += written_beats(result.time_signature)[1] * step
        self._correct(first_beat=first)

    def _set_key(self, wish: KeyIs) -> None:
        shift = self.options.transpose_semitones
        shown = transpose_key(self._key, shift)
        if wish.tonic is not None:
            key = Key(wish.tonic, wish.mode or self._usual_mode(wish.tonic, shift))
        else:
            key = self._in_mode(wish.mode or shown.mode, shown)
        self._correct(key=transpose_key(key, -shift))

    def _usual_mode(self, tonic: str, shift: int) -> Mode:
        """The mode of the likeliest reading on a tonic, or else that of the page."""
        for other in self.result.alternatives:
            if transpose_key(other.key, shift).tonic == tonic:
                return other.key.mode
        return self._key.mode

    def _in_mode(self, mode: Mode, shown: Key) -> Key:
        """The likeliest key in a mode, or else the relative one."""
        if shown.mode == mode:
            return shown
        for other in self.result.alternatives:
            if other.key.mode == mode:
                return transpose_key(other.key, self.options.transpose_semitones)
        return _relative(shown)

    def _set_bars(self, wish: BarsAre) -> None:
        count = self.result.bar_count or (wish.last or wish.first)
        if wish.first > count:
            raise WishError("wish.no_bars", bars=str(count))
        self._correct(bars=BarRange(wish.first, min(wish.last or count, count)))

    def _transpose_to(self, wish: TransposeTo) -> None:
        key, present = self._key, self.options.transpose_semitones
        target = Key(wish.tonic, wish.mode or key.mode)
        if target.mode != key.mode:
            target = _relative(target)
        distance = (_semitone(target) - _semitone(key)) % 12
        shifts = range(distance - 24, MAX_TRANSPOSITION + 1, 12)
        self._transpose(min(shifts, key=lambda shift: (abs(shift - present), abs(shift))))

    def _transpose(self, semitones: int) -> None:
        if abs(semitones) > MAX_TRANSPOSITION:
            raise WishError("wish.too_far")
        self.options = replace(self.options, transpose_semitones=semitones)

    def _leave_out(self, wish: PartIs) -> None:
        named = self._find(wish.part)
        if not wish.others:
            self._amend(named, left_out=wish.left_out)
            return
        for part in self.result.parts:
            self._amend(part, left_out=part.id != named.id)

    def _find(self, name: str | None) -> Part:
        part = leading_part(self.result) if name is None else find_part(self.result, name)
        if part is None:
            parts = ", ".join(part.name or part.id for part in self.result.parts)
            raise WishError("wish.no_part", parts=parts or "–")
        return part

    def _amend(self, part: Part, **changes: Any) -> None:
        parts = {known.id: known for known in self._edit.parts}
        parts[part.id] = replace(parts.get(part.id, PartCorrection(part.id)), **changes)
        self._correct(parts=tuple(parts.values()))
