"""Composing continuations."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest

from inference_service.continuation import compose
from inference_service.continuation.analysis import analyse
from inference_service.continuation.compose import Continuation, continue_music
from inference_service.continuation.options import ContinuationOptions, Style
from inference_service.errors import Cancelled, InvalidOptions, NothingToContinue
from inference_service.music.events import Key
from inference_service.music.score import Score, ScorePart, TimeChange
from tests.unit.continuation.songs import build_song, keep_parts, sing

SONG = build_song()
QUICK = ContinuationOptions(style=Style.POP, population=12, generations=5)


def _continue(score: Score, **options: object) -> Continuation:
    return continue_music(score, sing(score), replace(QUICK, **options))[0]  # type: ignore[arg-type]


def _new(score: Score, part: str, join: Fraction) -> list[tuple[Fraction, int]]:
    notes = next(p.notes for p in score.parts if p.id == part)
    return [(n.start_beats, n.pitch) for n in notes if n.start_beats >= join]


def test_the_song_goes_on_in_its_parts() -> None:
    found = _continue(SONG)
    assert found.join_beats == 16
    assert len(found.score.bars()) == 12
    for part in found.score.parts:
        assert _new(found.score, part.id, found.join_beats), part.id
    assert [mark.start_beats for mark in found.score.marks] == [16]
    assert found.score.parts[0].notes[:4] == tuple(
        replace(n, start_beats=n.start_beats - 16) for n in SONG.parts[0].notes[14:18]
    ), "the given bars are as they were"


def test_it_closes_in_the_tonic() -> None:
    for seed in range(3):
        found = _continue(SONG, seed=seed)
        assert found.score.chords[-1].label == "C"
        last = found.score.parts[0].notes[-1]
        assert last.stop_beats <= 48
        bass = next(p for p in found.score.parts if p.id == "bass").notes[-1]
        assert bass.pitch % 12 == 0


def test_a_minor_song_closes_in_its_own_tonic() -> None:
    found = _continue(replace(SONG, key=Key("A", "minor")))
    assert found.score.chords[-1].label.startswith("A:min")


def test_the_same_seed_gives_the_same_music() -> None:
    assert _continue(SONG, seed=5) == _continue(SONG, seed=5)
    assert _continue(SONG, seed=5).score != _continue(SONG, seed=6).score


@pytest.mark.parametrize("measures", [1, 2, 3, 5, 16])
def test_it_is_as_long_as_was_asked_for(measures: int) -> None:
    found = _continue(SONG, measures=measures, context_measures=2)
    assert found.join_beats == 8
    ends = max(n.stop_beats for part in found.score.parts for n in part.notes)
    assert 8 + 4 * (measures - 1) < ends <= 8 + 4 * measures


def test_without_context_there_is_only_what_is_new() -> None:
    found = _continue(SONG, context_measures=0)
    assert found.join_beats == 0
    assert len(found.score.bars()) == 8


def test_alternatives_differ() -> None:
    found = continue_music(SONG, sing(SONG), replace(QUICK, alternatives=2))
    assert len(found) == 3
    assert len({one.degrees for one in found}) == 3


@pytest.mark.parametrize("parts", [("vocals",), ("piano", "bass"), ("vocals", "drums"), ("bass",)])
def test_any_of_the_parts_is_enough(parts: tuple[str, ...]) -> None:
    found = _continue(keep_parts(SONG, *parts))
    for part in parts:
        assert _new(found.score, part, found.join_beats)


@pytest.mark.parametrize("beats", [1, 2, 3, 5, 6, 7, 9, 12])
def test_any_metre_goes_on(beats: int) -> None:
    song = build_song(8, beats)
    found = _continue(song)
    assert found.score.signature.beats == beats
    assert len(found.score.bars()) == 12
    starts = [c.start_beats for c in found.score.chords if c.start_beats >= found.join_beats]
    assert {start.denominator for start in starts} == {1}, "chords change on beats"


def test_a_long_piece_goes_on() -> None:
    song = build_song(500)
    assert _continue(song).score.signature == song.signature


def test_there_must_be_something_to_go_on_from() -> None:
    with pytest.raises(NothingToContinue):
        _continue(keep_parts(SONG, "drums"))
    with pytest.raises(NothingToContinue):
        _continue(replace(SONG, parts=(ScorePart("x", "X", SONG.parts[0].notes[:1]),)))


def test_an_unusual_metre_is_refused() -> None:
    with pytest.raises(NothingToContinue):
        _continue(build_song(8, 11))


def test_only_the_end_of_a_piece_need_be_in_a_usual_metre() -> None:
    changed = replace(SONG, time_changes=(TimeChange(4, 11), TimeChange(15, 4)))
    assert _continue(changed).score.signature.beats == 4


def test_melodies_stay_in_their_register() -> None:
    found = _continue(SONG, generations=15, population=30)
    given = [n.pitch for n in SONG.parts[0].notes]
    new = [pitch for _, pitch in _new(found.score, "vocals", found.join_beats)]
    assert min(given) - 5 <= min(new)
    assert max(new) <= max(given) + 5


def test_progress_is_reported_and_the_search_can_be_cancelled() -> None:
    reported: list[float] = []
    continue_music(SONG, sing(SONG), QUICK, reported.append)
    assert reported == sorted(reported)
    assert reported[-1] == 1.0

    def stop(done: float) -> None:
        raise Cancelled("nobody waits")

    with pytest.raises(Cancelled):
        continue_music(SONG, sing(SONG), QUICK, stop)


def test_a_budget_of_time_ends_the_search() -> None:
    found = _continue(SONG, generations=1000, budget_s=0.2)
    assert found.join_beats == 16


def test_the_style_is_the_one_that_the_chords_are_likeliest_in() -> None:
    analysis = analyse(SONG, sing(SONG))
    assert compose.choose_language(analysis, Style.POP).style is Style.POP
    assert compose.choose_language(analysis, Style.AUTO).style in Style


@pytest.mark.parametrize(
    "options",
    [
        {"measures": 0},
        {"measures": 65},
        {"seed": -1},
        {"boldness": 1.5},
        {"alternatives": 9},
        {"measures": 64, "alternatives": 4},
        {"measures": 64, "alternatives": 2},
        {"population": 1},
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidOptions):
        ContinuationOptions(**options)  # type: ignore[arg-type]
