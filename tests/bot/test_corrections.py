"""From wishes about a page to what is asked of the service."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bot.client.types import (
    Alternative,
    BarRange,
    Clef,
    Correctable,
    Corrections,
    Feel,
    FinestValue,
    Key,
    Part,
    PartCorrection,
    Pitches,
    Triplets,
    View,
)
from bot.corrections import (
    WishError,
    bar_shift,
    beat_step,
    check_tempo,
    fulfil,
    in_steps,
    likeliest,
    reading_edit,
    shown_as,
    transpose_key,
    written_beats,
)
from bot.wishes.grammar import understand
from bot.wishes.values import (
    AsHeard,
    Files,
    KeyIs,
    Metre,
    PitchesAre,
    ShiftBars,
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
    alternatives=(
        Alternative("4/4", 1.0, 2.0, A_MINOR, 0.5),
        Alternative("3/4", 1.0, 3.0, A_MINOR, 0.2),
        Alternative("4/4", 1.0, 2.0, C_MAJOR, 0.1),
        Alternative("4/4", 2.0, 2.5, A_MINOR, 0.05),
    ),
    metre_probability=0.6,
    key_probability=0.8,
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
        ("twice as slow", Corrections(beat_scale=0.5)),
        ("bpm 90", Corrections(tempo_bpm=90.0)),
        ("one beat later", Corrections(first_beat=3.0)),
        ("an eighth earlier", Corrections(first_beat=1.5)),
        ("F major", Corrections(key=Key("F", "major"))),
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


@pytest.mark.parametrize("phrase", [*ENGLISH, *RUSSIAN])
def test_every_phrase_changes_a_page(phrase: str) -> None:
    band = replace(
        PAGE,
        bar_count=24,
        parts=(
            *PAGE.parts,
            Part("bass", "Bass", 33, False, False),
            Part("piano", "Piano", 0, False, False),
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


def test_bars_that_would_begin_before_the_first_beat_begin_in_a_later_bar() -> None:
    assert fulfil([ShiftBars(-3, "beat")], PAGE).corrections.first_beat == 3.0


def test_a_shift_is_counted_in_beats_of_the_page() -> None:
    halves = replace(PAGE, beat_scale=2.0)
    assert beat_step(halves) == 0.5
    assert fulfil([ShiftBars(1, "beat")], halves).corrections.first_beat == 2.5
    compound = replace(
        PAGE,
        time_signature="6/8",
        alternatives=(Alternative("6/8", 1.0, 2.0, A_MINOR, 1.0),),
    )
    assert fulfil([ShiftBars(1, "beat")], compound).corrections.first_beat == 3.0
    eighth = fulfil([ShiftBars(1, "eighth")], compound).corrections.first_beat
    assert eighth == pytest.approx(2 + 1 / 3)


def test_the_way_round_the_bar_is_the_shorter_one() -> None:
    assert bar_shift(3.0, PAGE) == 1.0
    assert bar_shift(5.0, PAGE) == -1.0
    assert bar_shift(10.0, PAGE) == 0.0


@pytest.mark.parametrize(
    ("metre", "beats"),
    [("4/4", (1.0, 4.0)), ("6/8", (1.5, 2.0)), ("3/8", (0.5, 3.0)), ("2/2", (2.0, 2.0))],
)
def test_beats_as_people_count_them(metre: str, beats: tuple[float, float]) -> None:
    assert written_beats(metre) == beats


def test_a_key_refers_to_the_page_as_it_is_transposed() -> None:
    up = replace(PAGE, transpose_semitones=2)
    assert fulfil([KeyIs("D", "major")], up).corrections.key == C_MAJOR


def test_a_key_without_a_mode_has_that_of_the_likeliest_reading() -> None:
    assert fulfil([KeyIs("C")], PAGE).corrections.key == C_MAJOR
    assert fulfil([KeyIs("E")], PAGE).corrections.key == Key("E", "minor")
    assert fulfil([KeyIs(mode="major")], PAGE).corrections.key == C_MAJOR


@pytest.mark.parametrize(
    ("key", "semitones", "moved"),
    [
        (C_MAJOR, 1, Key("Db", "major")),
        (Key("C#", "major"), 0, Key("C#", "major")),
        (Key("Cb", "major"), 2, Key("Db", "major")),
        (A_MINOR, -1, Key("G#", "minor")),
    ],
)
def test_keys_move(key: Key, semitones: int, moved: Key) -> None:
    assert transpose_key(key, semitones) == moved


def test_transposition_takes_the_shorter_way() -> None:
    assert fulfil([TransposeTo("B")], PAGE).transpose_semitones == 2
    assert fulfil([TransposeTo("E")], PAGE).transpose_semitones == -5
    assert fulfil([TransposeTo("G", "major")], PAGE).transpose_semitones == -5
    up = replace(PAGE, transpose_semitones=12)
    assert fulfil([TransposeTo("B")], up).transpose_semitones == 14
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


def test_readings_of_what_is_in_doubt_come_first() -> None:
    assert [reading_edit(other, PAGE) for other in likeliest(PAGE)] == [
        Corrections("3/4"),
        Corrections("4/4", 2.0, 2.5),
        Corrections(key=C_MAJOR),
    ]
    key = replace(PAGE, metre_probability=0.9, key_probability=0.6)
    assert reading_edit(likeliest(key)[0], key) == Corrections(key=C_MAJOR)


def test_readings_leave_what_the_reader_has_corrected() -> None:
    corrected = replace(
        PAGE,
        time_signature="3/4",
        first_beat=3.0,
        corrections=Corrections("3/4", 1.0, 3.0),
        metre_probability=1.0,
    )
    edits = [reading_edit(other, corrected) for other in likeliest(corrected)]
    assert edits == [Corrections(key=C_MAJOR)]
    in_c = replace(PAGE, key=C_MAJOR, corrections=Corrections(key=C_MAJOR), key_probability=1.0)
    edits = [reading_edit(other, in_c) for other in likeliest(in_c)]
    assert edits == [Corrections("3/4"), Corrections("4/4", 2.0, 2.5)]
    slow = replace(PAGE, beat_scale=0.5, corrections=Corrections(beat_scale=0.5))
    edits = [reading_edit(other, slow) for other in likeliest(slow)]
    assert edits == [Corrections(key=C_MAJOR)]


def test_a_page_without_parts_or_bars_says_so() -> None:
    with pytest.raises(WishError) as caught:
        fulfil(understand("without piano").wishes, PAGE)
    assert caught.value.values == {"parts": "Vocals, Guitar, Drums"}
    with pytest.raises(WishError):
        fulfil(understand("bars 21-24").wishes, PAGE)
