"""The answers that the network should give, for performances whose score is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from inference_service.rhythm.from_notes.attacks import ATTACK_FEATURES, NOTE_FEATURES
from inference_service.rhythm.from_notes.score_network import (
    FASTEST_LOG2_S,
    FIFTHS,
    INTERVALS,
    METRES,
    PLACES,
    SLOWEST_LOG2_S,
    TEMPO_BINS,
)
from model_zoo.training.rhythm.corpora import ARCHIVES, is_dev, split_pieces
from model_zoo.training.rhythm.dataset import (
    IGNORED,
    Example,
    collate,
    crop,
    draw_batch,
    label,
    scale_values,
)
from model_zoo.training.rhythm.performance import Performance
from model_zoo.training.sources.scores import WrittenPiece, parse_score
from tests.unit.model_zoo.training.rhythm.pieces import (
    attributes,
    grace,
    note,
    parse,
    study,
    write,
)


def play_exactly(piece: WrittenPiece, quarter_s: float = 0.5) -> Performance:
    """As a sequencer would; a grace note a tenth of a second early."""
    onset_s = 1.0 + quarter_s * piece.onset_q - 0.1 * piece.grace
    count = len(piece.pitch)
    return Performance(
        piece=piece,
        onset_s=onset_s,
        offset_s=onset_s + 0.1 + quarter_s * piece.duration_q,
        pitch=piece.pitch,
        velocity=np.full(count, 64),
        onset_q=piece.onset_q,
        duration_q=piece.duration_q,
        extra=piece.grace,
        hand=piece.staff - 1,
        swung=False,
    )


def answers(example: Example, name: str) -> list[int]:
    return [int(value) for value in example.attack_targets[name]]


TIME = "<time><beats>{}</beats><beat-type>{}</beat-type></time>"
MELODY = parse(
    [
        attributes(fifths=1) + note("C4", 2) + note("D4", 1) + note("E4", 1) + note("F4", 4),
        note("G4", 8),
    ]
)


def test_a_melody_is_labelled_attack_by_attack() -> None:
    example = label(play_exactly(MELODY))
    assert [PLACES[p] for p in answers(example, "place")] == [0, 0, 12, 0, 0]
    assert [float(INTERVALS[i]) for i in answers(example, "interval")[:-1]] == [1, 0.5, 0.5, 2]
    assert answers(example, "interval")[-1] == IGNORED
    assert answers(example, "beat") == [1, 1, 0, 1, 1]
    assert answers(example, "downbeat") == [1, 0, 0, 0, 1]
    assert {METRES[m] for m in answers(example, "metre")} == {(4, 4)}
    assert {FIFTHS[f] for f in answers(example, "fifths")} == {1}
    np.testing.assert_allclose(example.attack_targets["tempo"], -1.0, atol=1e-6)
    lengths = [float(INTERVALS[i]) for i in example.note_targets["length"]]
    assert lengths == [1, 0.5, 0.5, 2, 4]


def test_compound_beats_are_dotted_quarters() -> None:
    bar = "".join(note("C4", 1) for _ in range(6))
    example = label(play_exactly(parse([attributes(TIME.format(6, 8)) + bar, bar])))
    assert answers(example, "beat") == [1, 0, 0, 1, 0, 0] * 2
    assert answers(example, "downbeat") == [1, 0, 0, 0, 0, 0] * 2


def test_a_pickup_is_the_end_of_a_bar() -> None:
    piece = parse([attributes(TIME.format(3, 4)) + note("G4", 1) + note("A4", 1), note("C5", 6)])
    example = label(play_exactly(piece))
    assert answers(example, "downbeat") == [0, 0, 1]
    assert answers(example, "beat") == [1, 0, 1]
    assert [PLACES[p] for p in answers(example, "place")] == [0, 12, 0]


def test_metres_that_count_alike_are_one() -> None:
    example = label(play_exactly(parse([attributes(TIME.format(2, 2)) + note("C4", 8)])))
    assert [METRES[m] for m in answers(example, "metre")] == [(4, 4)]


def test_a_metre_that_has_no_class_is_not_taught() -> None:
    example = label(play_exactly(parse([attributes(TIME.format(5, 4)) + note("C4", 10)])))
    assert answers(example, "metre") == [IGNORED]


def test_graces_have_no_place_of_their_own() -> None:
    piece = parse([attributes() + note("C4", 4) + grace("D4") + note("E4", 4)])
    example = label(play_exactly(piece))
    assert example.note_targets["extra"].tolist() == [0, 1, 0]
    assert example.note_targets["length"][1] == IGNORED
    assert answers(example, "place") == [0, IGNORED, 0]
    assert float(INTERVALS[answers(example, "interval")[0]]) == 2.0  # to the note behind the grace


def test_hands_are_taught_where_there_are_two_staves() -> None:
    example = label(play_exactly(parse_score("study", study(1))))
    lower = [48, 43]
    pitches = 60 + np.rint(24 * example.notes[:, 12]).astype(int)
    assert (example.note_targets["hand"] == np.isin(pitches, lower)).all()


@pytest.mark.parametrize(("shift", "fifths"), [(2, 3), (1, -4), (-1, -6), (0, 1)])
def test_a_transposed_piece_is_in_another_key(shift: int, fifths: int) -> None:
    example = label(play_exactly(MELODY), shift)
    assert {FIFTHS[f] for f in answers(example, "fifths")} == {fifths}
    np.testing.assert_allclose(example.notes[0, 12], shift / 24, atol=1e-6)


def test_a_crop_numbers_its_attacks_anew() -> None:
    example = label(play_exactly(parse_score("study", study(8))))
    part = crop(example, 16, np.random.default_rng(1))
    assert part is not None
    assert len(part.attacks) == 16
    assert (part.index.min(), part.index.max()) == (0, 15)
    assert len(part.notes) == len(part.index) == len(part.note_targets["extra"])


def test_what_is_too_short_to_crop_is_left_out() -> None:
    assert crop(label(play_exactly(MELODY)), 12, np.random.default_rng(0)) is None


def test_a_batch_is_padded_with_what_is_not_taught() -> None:
    long, short = label(play_exactly(parse_score("study", study(2)))), label(play_exactly(MELODY))
    batch = collate([long, short])
    length = len(long.attacks)
    assert batch.attacks.shape == (2, length, ATTACK_FEATURES)
    assert batch.notes.shape == (len(long.notes) + len(short.notes), NOTE_FEATURES)
    assert batch.index.tolist() == [*long.index.tolist(), *(short.index + length).tolist()]
    assert not batch.attacks[1, len(short.attacks) :].any()
    for name in ("place", "interval", "beat", "downbeat", "metre", "fifths"):
        padding = batch.targets[name].reshape(2, length)[1, len(short.attacks) :]
        assert (padding == IGNORED).all(), name
    assert batch.targets["length"].shape == (len(batch.notes),)


def test_a_tempo_is_shared_between_its_two_bins() -> None:
    tempo = collate([label(play_exactly(MELODY))]).targets["tempo"]
    assert tempo.shape == (5, TEMPO_BINS)
    bins = torch.linspace(FASTEST_LOG2_S, SLOWEST_LOG2_S, TEMPO_BINS)
    torch.testing.assert_close(tempo.sum(1), torch.ones(5))
    torch.testing.assert_close(tempo @ bins, torch.full((5,), -1.0), atol=1e-3, rtol=0)


def test_halved_values_are_those_of_a_quarter_twice_as_long() -> None:
    played = play_exactly(MELODY)
    example = label(scale_values(played, 0.5), quarter_s=1.0)
    assert [float(INTERVALS[i]) for i in answers(example, "interval")[:-1]] == [0.5, 0.25, 0.25, 1]
    assert answers(example, "downbeat") == [1, 0, 0, 0, 1]
    assert {METRES[m] for m in answers(example, "metre")} == {(2, 4)}
    np.testing.assert_allclose(example.attack_targets["tempo"], 0.0, atol=1e-6)


def test_a_known_tempo_is_told_in_features_of_their_own() -> None:
    played = play_exactly(MELODY, quarter_s=0.5)
    unknown, known = label(played), label(played, quarter_s=0.5)
    told = np.flatnonzero((known.attacks != unknown.attacks).any(0))
    assert told.min() >= 28
    assert not unknown.attacks[:, told].any()
    faster = label(play_exactly(MELODY, quarter_s=0.25), quarter_s=0.25)
    np.testing.assert_allclose(faster.attacks[1:4, 28:44], known.attacks[1:4, 28:44], atol=1e-5)


def build_pieces() -> dict[str, list[WrittenPiece]]:
    line = [attributes() + note("C4", 2) * 4] + [note("E4", 1) * 8] * 8
    return {
        "openscore_lieder": [parse_score("song", study(32))],
        "openscore_quartets": [parse_score("quartet", write(line, line, line, line))],
        "openewld": [parse_score("tune", write(line))],
    }


def test_a_seed_is_a_batch() -> None:
    pieces = build_pieces()
    assert set(pieces) <= set(ARCHIVES)
    first, second, other = (
        draw_batch(pieces, np.random.default_rng(seed), 3, 24) for seed in (5, 5, 6)
    )
    torch.testing.assert_close(first.attacks, second.attacks)
    torch.testing.assert_close(first.targets, second.targets)
    assert first.attacks.shape[:2] == (3, 24)
    assert int(first.index.max()) < 3 * 24
    assert not torch.equal(first.attacks, other.attacks)


def test_held_out_pieces_are_not_learnt() -> None:
    songs = [replace(MELODY, name=f"song {k}.mxl") for k in range(200)]
    learnt, held_out = split_pieces({"openewld": songs, "openscore_lieder": songs[:1]})
    assert sorted(p.name for p in learnt["openewld"] + held_out["openewld"]) == sorted(
        p.name for p in songs
    )
    assert held_out["openscore_lieder"] == songs[:1], "the few there are serve for both"


def test_one_piece_in_twenty_is_kept() -> None:
    kept = sum(is_dev(replace(MELODY, name=f"song {k}.mxl")) for k in range(4000))
    assert kept == pytest.approx(200, abs=45)
