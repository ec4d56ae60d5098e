"""Filters for files from unknown authors: what they remove and what they keep."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from model_zoo.training.sources.filters import (
    Known,
    allows_weights,
    concentration,
    count_voices,
    drop_duplicate_lines,
    drop_effects,
    drop_joke_lines,
    drop_odd_notes,
    drop_unheard_beats,
    fingerprint,
    has_music,
    has_plausible_tempo,
    map_drums,
    mark_deadpan,
    name_drums,
)
from model_zoo.training.sources.piece import (
    CC0,
    CC_BY_NC_SA,
    UNSTATED,
    Licence,
    Line,
    Origin,
    Piece,
    change_tempo,
    make_line,
)
from tests.unit.model_zoo.training.sources.pieces import line, piece, shift, tune


def test_good_music_is_left_alone() -> None:
    music = piece(
        tune(0), replace(tune(1), program=33, role="bass", notes=tune(1).notes - [0, 0, 24, 0])
    )
    for mend in (name_drums, map_drums, drop_effects, drop_odd_notes, drop_joke_lines,
                 drop_duplicate_lines, drop_unheard_beats):  # fmt: skip
        mended = mend(music)
        assert [each.notes.tolist() for each in mended.lines] == [
            each.notes.tolist() for each in music.lines
        ]
        assert mended.beats_s.tolist() == music.beats_s.tolist()
    assert has_music(music)
    assert has_plausible_tempo(music)


# Drums


def beat(keys: list[int], **kwargs: object) -> Line:
    rows = [[k * 0.5, k * 0.5 + 0.1, key, 90] for k, key in enumerate(keys)]
    return replace(make_line("drums", np.array(rows, float)), **kwargs)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["Drums", "DRUM KIT 2", "Percussion", "Batterie"])
def test_lines_named_like_drums_become_drums(name: str) -> None:
    hits = beat([36, 38, 42] * 4, role="piano", program=0, name=name)
    (found,) = name_drums(piece(hits)).lines
    assert found.role == "drums"
    assert found.program is None


def test_a_drum_name_without_percussion_keys_makes_no_drums() -> None:
    melodic = replace(shift(tune(), 24), name="steel drum")
    assert name_drums(piece(melodic)).lines[0].role == "melody"
    assert name_drums(piece(replace(tune(), name="Humdrum"))).lines[0].role == "melody"


def test_vendor_percussion_keys_are_translated_to_general_midi() -> None:
    (hits,) = map_drums(piece(beat([36, 22, 26, 58, 82]))).lines
    assert hits.notes[:, 2].tolist() == [36, 42, 46, 43, 70]


def test_unknown_percussion_keys_are_dropped() -> None:
    (hits,) = map_drums(piece(beat([36, 5, 38, 110]))).lines
    assert hits.notes[:, 2].tolist() == [36, 38]


def test_pitched_lines_keep_pitches_outside_the_percussion_keys() -> None:
    (low,) = map_drums(piece(line([[0, 1, 26, 90]], program=33))).lines
    assert low.notes[:, 2].tolist() == [26]


# Lines and notes


def test_sound_effects_are_dropped() -> None:
    kept = drop_effects(piece(tune(), replace(tune(1), program=124))).lines
    assert [each.program for each in kept] == [0]


def test_notes_outside_the_range_are_dropped() -> None:
    high = line([[k, k + 1, 50 + k, 90] for k in range(9)] + [[9, 10, 120, 90]], program=25)
    (kept,) = drop_odd_notes(piece(high)).lines
    assert kept.notes[:, 2].max() == 58


def test_a_line_mostly_out_of_range_is_dropped() -> None:
    assert drop_odd_notes(piece(replace(shift(tune(), 24), program=33))).lines == ()


@pytest.mark.parametrize("length_s", [0.0, 0.004, 45.0])
def test_notes_of_implausible_duration_are_dropped(length_s: float) -> None:
    notes = [[0, 1, 60, 90], [1, 1 + length_s, 62, 90], [2, 3, 64, 90]]
    (kept,) = drop_odd_notes(piece(line(notes))).lines
    assert kept.notes[:, 2].tolist() == [60, 64]


def test_drum_hits_may_have_any_duration() -> None:
    hits = replace(beat([36, 38]), notes=np.array([[0, 0, 36, 90], [1, 1, 38, 90]], float))
    assert len(drop_odd_notes(piece(hits)).lines[0].notes) == 2


def test_a_key_struck_again_ends_its_note() -> None:
    notes = [[0, 3, 60, 90], [1, 2, 60, 80], [1, 2, 60, 70], [0.5, 4, 64, 90]]
    (kept,) = drop_odd_notes(piece(line(notes))).lines
    assert kept.notes[:, :3].tolist() == [[0, 1, 60], [0.5, 4, 64], [1, 2, 60]]


def test_empty_lines_and_lines_of_one_pitch_are_dropped() -> None:
    repeated = line([[k, k + 0.5, 60, 90] for k in range(50)])
    few = line([[0, 1, 60, 90], [1, 2, 64, 90]])
    kept = drop_joke_lines(piece(tune(), repeated, few, line(np.zeros((0, 4))), beat([36] * 8)))
    assert [each.role for each in kept.lines] == ["melody", "drums"]


def test_more_voices_than_an_instrument_can_play_are_dropped() -> None:
    cluster = [[k, k + 1, 40 + n, 90] for k in range(10) for n in range(12)]
    assert drop_joke_lines(piece(line(cluster, program=25))).lines == ()
    assert len(drop_joke_lines(piece(line(cluster, program=0))).lines) == 1


def test_voices_are_counted_at_each_onset() -> None:
    notes = np.array([[0, 4, 60, 90], [1, 2, 64, 90], [2, 3, 65, 90], [2, 3, 69, 90]], float)
    assert count_voices(notes).tolist() == [1, 2, 3, 3]


def test_doubled_lines_are_dropped() -> None:
    doubled = replace(shift(tune(), 12, late_s=0.008), program=30)
    kept = drop_duplicate_lines(piece(tune(), doubled, tune(1))).lines
    assert [each.program for each in kept] == [0, 0]
    assert kept[1].notes.tolist() == tune(1).notes.tolist()


def test_drum_lines_an_octave_apart_are_not_duplicates() -> None:
    assert len(drop_duplicate_lines(piece(beat([36, 48] * 8), beat([48, 60] * 8))).lines) == 2


# Beats


def test_beats_of_another_tempo_are_removed() -> None:
    beats_s: NDArray[np.float64] = np.arange(200, dtype=np.float64) * 0.447
    music = replace(piece(tune(count=300)), beats_s=beats_s)
    assert concentration(music) < 0.15
    assert not len(drop_unheard_beats(music).beats_s)
    assert not len(drop_unheard_beats(music).positions)


def test_beats_are_kept_for_human_timing() -> None:
    notes = tune(count=300).notes
    notes[:, :2] += np.random.default_rng(0).normal(0, 0.025, (300, 1))
    music = piece(line(notes))
    assert len(drop_unheard_beats(music).beats_s) == len(music.beats_s)


def test_a_swung_tune_follows_its_beats() -> None:
    notes = tune(count=300).notes
    late = np.isclose(notes[:, 0] % 0.5, 0.25)
    notes[late, 0] += 0.5 / 6
    assert len(drop_unheard_beats(piece(line(notes))).beats_s)


def test_a_piece_on_the_grid_without_dynamics_is_deadpan() -> None:
    assert mark_deadpan(piece(tune())).deadpan


def test_a_piece_with_dynamics_or_free_timing_is_not_deadpan() -> None:
    random = np.random.default_rng(0)
    loud = tune().notes
    loud[:, 3] = random.integers(60, 110, len(loud))
    assert not mark_deadpan(piece(line(loud))).deadpan
    free = tune().notes
    free[:, :2] += random.normal(0, 0.015, (len(free), 1))
    assert not mark_deadpan(piece(line(free))).deadpan


def test_a_deadpan_mark_is_kept() -> None:
    assert mark_deadpan(replace(piece(line(np.zeros((0, 4)))), deadpan=True)).deadpan


@pytest.mark.parametrize("factor", [0.15, 4.5])
def test_impossible_tempos_are_rejected(factor: float) -> None:
    assert not has_plausible_tempo(change_tempo(piece(tune()), factor))


def test_a_wildly_varying_tempo_is_rejected() -> None:
    music = piece(tune())
    beats_s = np.cumsum(np.tile([0.1, 0.9], len(music.beats_s) // 2))
    assert not has_plausible_tempo(replace(music, beats_s=beats_s))


def test_an_unplayable_note_rate_is_rejected() -> None:
    torrent = line([[k * 0.02, k * 0.02 + 0.02, 40 + k % 40, 90] for k in range(1000)])
    assert not has_plausible_tempo(piece(torrent))


def test_very_short_pieces_are_rejected() -> None:
    assert not has_music(piece(tune(count=20)))
    assert not has_music(piece(tune(count=60, beat_s=0.1), beat_s=0.1))
    assert not has_music(piece())


# Licences


@pytest.mark.parametrize(
    ("licence", "allowed"), [(CC0, True), (CC_BY_NC_SA, False), (UNSTATED, False)]
)
def test_the_licence_decides_about_weights(licence: Licence, allowed: bool) -> None:
    music = replace(piece(tune()), origin=Origin("somewhere", "tune", licence))
    assert allows_weights(music) is allowed
    assert not allows_weights(piece(tune()))


# Duplicates


def version(of: Piece, name: str, seed: int) -> Piece:
    """Return the piece transposed, at another tempo, with human timing and wrong notes."""
    random = np.random.default_rng(seed)
    faster = change_tempo(of, 1.2)
    lines = []
    for each in faster.lines:
        notes = each.notes[random.random(len(each.notes)) > 0.02] + [0, 0, 5, 0]
        notes[:, 0] += random.normal(0, 0.006, len(notes))
        lines.append(replace(each, notes=notes))
    return replace(faster, name=name, lines=tuple(lines))


def songs() -> list[Piece]:
    return [piece(tune(seed, 400), name=f"song {seed}") for seed in range(8)]


def test_a_fingerprint_is_invariant_to_key_and_tempo() -> None:
    song = songs()[0]
    moved = replace(song, lines=(shift(song.lines[0], 3),))
    assert len(fingerprint(song)) > 20
    assert fingerprint(song) == fingerprint(change_tempo(moved, 0.7))


def test_versions_are_duplicates_and_other_songs_are_not() -> None:
    known = Known()
    assert [known.find(song) for song in songs()] == [None] * 8
    found = [known.find(version(song, f"version {n}", n)) for n, song in enumerate(songs())]
    assert found == [f"song {n}" for n in range(8)]


def test_drums_have_no_fingerprint() -> None:
    known = Known()
    groove = piece(beat([36, 42, 38, 42] * 50), name="groove")
    assert known.find(groove) is None
    assert known.find(replace(groove, name="other")) is None
    assert not fingerprint(groove)


def test_repeated_notes_and_short_lines_have_no_fingerprint() -> None:
    repeated = line([[k * 0.5, k * 0.5 + 0.4, 60, 90] for k in range(200)])
    assert not fingerprint(piece(repeated))
    assert not fingerprint(piece(tune(count=8)))
