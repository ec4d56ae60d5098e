"""Coarser values."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from inference_service.music.corrections import FinestValue
from inference_service.music.metre import TimeSignature
from inference_service.music.placement import NotePlacement
from inference_service.music.simplify import VALUE_QUARTERS, Grid, simplify

COMMON = TimeSignature(4, 4)


def write(
    notes: list[tuple[str, str]],
    finest: FinestValue | None = None,
    *,
    triplets: bool = True,
    signature: TimeSignature = COMMON,
) -> list[tuple[Fraction, Fraction]]:
    placed = [NotePlacement(Fraction(start), Fraction(length)) for start, length in notes]
    lines = range(-signature.beats, 10 * signature.beats, signature.beats)
    return [
        (placement.start_beats, placement.duration_beats)
        for placement in simplify(placed, lines, signature, Grid(finest, triplets))
    ]


def starts(*arguments: object, **options: object) -> list[str]:
    return [str(start) for start, _ in write(*arguments, **options)]  # type: ignore[arg-type]


EIGHTHS = [("0", "1/2"), ("1/2", "1/2"), ("1", "1"), ("3", "1/2"), ("7/2", "1/2")]
TRIPLET = [("0", "1/3"), ("1/3", "1/3"), ("2/3", "1/3"), ("1", "1")]


def test_what_fits_stays() -> None:
    kept = [(Fraction(a), Fraction(b)) for a, b in EIGHTHS]
    assert write(EIGHTHS, FinestValue.EIGHTH, triplets=False) == kept
    assert starts(TRIPLET, FinestValue.EIGHTH) == ["0", "1/3", "2/3", "1"]


def test_fine_notes_move_to_free_places() -> None:
    dotted = [("0", "3/4"), ("3/4", "1/4"), ("1", "1")]
    written = write(dotted, FinestValue.EIGHTH)
    assert written[:2] == [(0, Fraction(1, 2)), (Fraction(1, 2), Fraction(1, 2))]


def test_no_note_moves_to_a_bar_after_the_last() -> None:
    full = [("0", "2"), ("2", "1/2"), ("5/2", "1/2"), ("3", "1/2"), ("7/2", "1/2")]
    assert max(map(Fraction, starts(full, FinestValue.QUARTER))) == 3
    assert all(start + length <= 4 for start, length in write(full, FinestValue.QUARTER))


def test_triplets_become_even() -> None:
    assert starts(TRIPLET, triplets=False) == ["0", "1/4", "3/4", "1"]
    swung = [("0", "2/3"), ("2/3", "1/3"), ("1", "1")]
    assert starts(swung, FinestValue.EIGHTH, triplets=False) == ["0", "1/2", "1"]


def test_notes_on_the_beat_do_not_move() -> None:
    written = dict(zip([s for s, _ in EIGHTHS], starts(EIGHTHS, FinestValue.QUARTER), strict=True))
    assert {beat: written[beat] for beat in ("0", "1", "3")} == {"0": "0", "1": "1", "3": "3"}


def test_compound_metres_have_eighths_and_dotted_quarters() -> None:
    six = TimeSignature(6, 8)
    notes = [("0", "3/2"), ("3/2", "1/2"), ("2", "1"), ("3", "3")]
    assert starts(notes, FinestValue.EIGHTH, signature=six) in (
        ["0", "1", "2", "3"],
        ["0", "2", "2", "3"],
    )
    assert set(starts(notes, FinestValue.QUARTER, signature=six)) == {"0", "3"}


PLACES = st.integers(0, 24 * 12).map(lambda part: Fraction(part, 24))
NOTES = st.lists(
    st.tuples(PLACES, st.integers(1, 96).map(lambda part: Fraction(part, 24))),
    min_size=1,
    max_size=40,
)


@given(NOTES, st.sampled_from([None, *FinestValue]), st.booleans())
def test_no_note_is_lost_and_none_is_empty(
    notes: list[tuple[Fraction, Fraction]], finest: FinestValue | None, triplets: bool
) -> None:
    written = write([(str(a), str(b)) for a, b in notes], finest, triplets=triplets)
    assert len(written) == len(notes)
    assert all(length > 0 for _, length in written)
    together: dict[Fraction, set[Fraction]] = {}
    for (start, _), (moved, _) in zip(notes, written, strict=True):
        together.setdefault(start, set()).add(moved)
        assert abs(moved - start) <= 2
    assert all(len(moved) == 1 for moved in together.values()), "chords stay together"
    in_order = [together[start] for start in sorted(together)]
    assert [min(moved) for moved in in_order] == sorted(min(moved) for moved in in_order)
    if not triplets:
        value = Fraction(1, 8) if finest is None else VALUE_QUARTERS[finest]
        assert all(start % value == 0 == length % value for start, length in written)
