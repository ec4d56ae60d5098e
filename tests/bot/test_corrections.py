"""From wishes about a page to what is asked of the service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.client.types import (
    Adjustments,
    Alternative,
    BarRange,
    BarShift,
    BarUnit,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    LocalShift,
    NamedKey,
    Offer,
    Part,
    PartCorrection,
    Pitches,
    Triplets,
    View,
)
from bot.corrections import (
    WishError,
    check_tempo,
    fulfil,
    in_steps,
    shown_as,
)
from bot.wishes.grammar import understand
from bot.wishes.values import (
    AsHeard,
    Files,
    Metre,
    PitchesAre,
    Tempo,
    TransposeTo,
    Undo,
    ViewIs,
)
from tests.bot.phrases import ENGLISH, RUSSIAN
from tests.bot.test_views import RESULT

A_MINOR, C_MAJOR = Key("A", "minor"), Key("C", "major")
PAGE = replace(
    RESULT,
    time_signature="4/4",
    key=A_MINOR,
    rendered_key=A_MINOR,
    first_beat=2.0,
    beat_scale=1.0,
    bar_count=20,
    parts=(
        Part("vocals", "Vocals", 52, False, False),
        Part("acoustic", "Guitar", 25, False, False),
        Part("drums", "Drums", None, True, False),
    ),
    alternatives=(Alternative("4/4", 1.0, 2.0, A_MINOR, 0.5),),
    offers=(
        Offer(Corrections("3/4"), 96.0, "3/4"),
        Offer(Corrections("4/4", 2.0, 2.5), 192.0, rescale=2.0),
        Offer(Corrections("4/4", 1.0, 2 + 1 / 12), 96.0, bar_shift=BarShift(1, BarUnit.EIGHTH)),
        Offer(Corrections(key=C_MAJOR), 96.0, key=C_MAJOR),
    ),
    metre_is_doubtful=True,
)


def _corrections(words: str) -> Corrections:
    understood = understand(words)
    assert understood.is_complete
    return fulfil(understood.wishes, PAGE).corrections


@pytest.mark.parametrize(
    ("words", "corrections"),
    [
        ("6/8", Corrections(time_signature="6/8")),
        ("3/4", Corrections(time_signature="3/4")),
        ("bpm 90", Corrections(tempo_bpm=90.0)),
        ("no sixteenths", Corrections(finest_value=FinestValue.EIGHTH)),
        ("no triplets", Corrections(triplets=Triplets.NOT_ALLOWED)),
        ("swing", Corrections(feel=Feel.SWING)),
        ("bars 5-12", Corrections(bars=BarRange(5, 12))),
        ("from bar 9", Corrections(bars=BarRange(9, 20))),
        ("last 4 bars", Corrections(bars=BarRange(17, 20))),
        ("bars 15-99", Corrections(bars=BarRange(15, 20))),
        ("all bars", Corrections(as_heard=(Correctable.BARS,))),
        ("without drums", Corrections(parts=(PartCorrection("drums", left_out=True),))),
        ("without guitar", Corrections(parts=(PartCorrection("acoustic", left_out=True),))),
        ("bass clef", Corrections(parts=(PartCorrection("vocals", clef=Clef.BASS),))),
        ("no electric guitar", Corrections(parts=(PartCorrection("acoustic", left_out=True),))),
        ("without the choir", Corrections(parts=(PartCorrection("vocals", left_out=True),))),
        ("without part 2", Corrections(parts=(PartCorrection("acoustic", left_out=True),))),
        ("part 2 is a harp", Corrections(parts=(PartCorrection("acoustic", program=46),))),
        (
            "for flute in the treble clef",
            Corrections(parts=(PartCorrection("vocals", program=73, clef=Clef.TREBLE),)),
        ),
        (
            "only the drums",
            Corrections(
                parts=(
                    PartCorrection("vocals", left_out=True),
                    PartCorrection("acoustic", left_out=True),
                    PartCorrection("drums", left_out=False),
                )
            ),
        ),
    ],
)
def test_wishes_become_corrections(words: str, corrections: Corrections) -> None:
    assert _corrections(words) == corrections


@pytest.mark.parametrize(
    ("words", "adjustments"),
    [
        ("twice as slow", Adjustments(rescale=0.5)),
        ("bpm 90", Adjustments()),
        ("twice as slow, bpm 90", Adjustments()),
        ("one beat later", Adjustments(bar_shift=BarShift(1))),
        ("an eighth earlier", Adjustments(bar_shift=BarShift(-1, BarUnit.EIGHTH))),
        ("half a beat later", Adjustments(bar_shift=BarShift(1, BarUnit.HALF_BEAT))),
        ("two quarters later", Adjustments(bar_shift=BarShift(2, BarUnit.QUARTER))),
        ("F major", Adjustments(key=NamedKey("F", "major"))),
        ("in G", Adjustments(key=NamedKey("G"))),
        ("it's minor", Adjustments(key=NamedKey(mode="minor"))),
        ("it's minor, in A", Adjustments(key=NamedKey("A", "minor"))),
    ],
)
def test_what_refers_to_the_page_is_passed_on(words: str, adjustments: Adjustments) -> None:
    assert fulfil(understand(words).wishes, PAGE).adjustments == adjustments


@pytest.mark.parametrize("phrase", [*ENGLISH, *RUSSIAN])
def test_every_phrase_changes_a_page(phrase: str) -> None:
    band = replace(
        PAGE,
        bar_count=24,
        parts=(
            *PAGE.parts,
            Part("bass", "Bass", 33, False, False),
            Part("piano", "Piano", 0, False, False),
            Part("strings", "Violin", 40, False, False),
            Part("brass", "Trumpet", 56, False, False),
            Part("winds", "Flute", 73, False, False),
        ),
        view=View.FULL,
        transpose_semitones=-1,
    )
    wishes = understand(phrase).wishes
    wanted = [fulfil(step, band) for step in in_steps(wishes)]
    already = {PitchesAre(Pitches.MEANT), ViewIs(View.FULL)}
    if not set(wishes) <= {Undo(), AsHeard(), Files()} | already:
        assert wanted != [shown_as(band)]


def test_wishes_that_depend_on_others_wait_for_them() -> None:
    def steps(words: str) -> list[int]:
        return [len(step) for step in in_steps(understand(words).wishes)]

    assert steps("") == [0]
    assert steps("3/4, in G, without drums, bpm 90") == [4]
    assert steps("in G, one beat later") == [2]
    assert steps("3/4, in G, one beat later, twice as slow") == [2, 1, 1]
    assert steps("in G, up a tone") == [1, 1], "it is called G before it is transposed"
    assert steps("up a tone, in G") == [2], "and after"
    assert steps("transpose to D, in G, transpose to E") == [1, 2]
    assert steps("transpose to D, up a tone, original key") == [1, 2]


def test_a_key_to_transpose_to_is_found_by_the_service() -> None:
    up = replace(PAGE, transpose_semitones=12)
    wanted = fulfil([TransposeTo("G", "major")], up)
    assert (wanted.transpose_to, wanted.transpose_semitones) == (NamedKey("G", "major"), 12)
    with pytest.raises(WishError):
        fulfil(understand("up three octaves").wishes, PAGE)


def test_a_tempo_that_no_values_come_near_is_refused() -> None:
    check_tempo([Tempo(100), Metre("3/4")], PAGE)
    with pytest.raises(WishError) as caught:
        check_tempo([Tempo(70)], PAGE)
    assert caught.value.values == {"tempos": "48, 96, 193"}


def test_what_is_shown_stays_as_it_is() -> None:
    shown = replace(PAGE, view=View.MELODY, pitches=Pitches.SUNG, simple_chords=True)
    wanted = fulfil([Metre("3/4")], shown)
    assert (wanted.view, wanted.pitches, wanted.simple_chords) == (
        View.MELODY,
        Pitches.SUNG,
        True,
    )


def test_a_page_without_parts_or_bars_says_so() -> None:
    with pytest.raises(WishError) as caught:
        fulfil(understand("without piano").wishes, PAGE)
    assert caught.value.values == {"parts": "Vocals, Guitar, Drums"}
    for words in ("without part 4", "without the harp", "bars 21-24"):
        with pytest.raises(WishError):
            fulfil(understand(words).wishes, PAGE)


def test_bars_from_one_on_are_those_of_the_page() -> None:
    (wish,) = understand("from bar 20 half a beat earlier").wishes
    assert fulfil([wish], PAGE).adjustments == Adjustments(
        local_shifts=(LocalShift(20, BarShift(-1, BarUnit.HALF_BEAT)),)
    )
    with pytest.raises(WishError):
        fulfil(understand("from bar 21 a beat later").wishes, PAGE)


def test_each_move_from_a_bar_refers_to_the_page_with_those_before() -> None:
    wishes = understand("3/4, from bar 5 a beat later, from bar 9 a beat earlier").wishes
    assert [len(step) for step in in_steps(wishes)] == [1, 1, 1]
