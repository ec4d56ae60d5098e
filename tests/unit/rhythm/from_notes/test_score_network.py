"""The network that reads written rhythm."""

from __future__ import annotations

from dataclasses import fields

import pytest
import torch

from inference_service.rhythm.from_notes.attacks import ATTACK_FEATURES, NOTE_FEATURES
from inference_service.rhythm.from_notes.score_network import (
    FIFTHS,
    INTERVALS,
    METRES,
    PLACES,
    QUARTER_PARTS,
    TEMPO_BINS,
    Logits,
    ScoreNetwork,
    ScoreNetworkConfig,
)


@pytest.fixture(scope="module")
def network() -> ScoreNetwork:
    torch.manual_seed(0)
    return ScoreNetwork(ScoreNetworkConfig(width=16, note_width=8)).eval()


def draw(batch: int, length: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Attacks of one to three notes."""
    generator = torch.Generator().manual_seed(1)
    sizes = torch.randint(1, 4, (batch * length,), generator=generator)
    index = torch.arange(batch * length).repeat_interleave(sizes)
    attacks = torch.rand((batch, length, ATTACK_FEATURES), generator=generator)
    return attacks, torch.rand((len(index), NOTE_FEATURES), generator=generator), index


def test_every_attack_and_every_note_has_outputs(network: ScoreNetwork) -> None:
    attacks, notes, index = draw(2, 5)
    logits = network(attacks, notes, index)
    classes = {"place": PLACES, "interval": INTERVALS, "metre": METRES, "fifths": FIFTHS}
    for name, values in classes.items():
        assert getattr(logits, name).shape == (10, len(values))
    assert logits.tempo.shape == (10, TEMPO_BINS)
    assert logits.beat.shape == logits.downbeat.shape == (10,)
    assert logits.length.shape == (len(notes), len(INTERVALS))
    assert logits.hand.shape == logits.extra.shape == (len(notes),)


def test_sequences_of_a_batch_do_not_know_each_other(network: ScoreNetwork) -> None:
    attacks, notes, index = draw(2, 6)
    together = network(attacks, notes, index)
    second = index >= 6
    alone = network(attacks[1:], notes[second], index[second] - 6)
    for field in fields(Logits):
        ours, theirs = getattr(together, field.name), getattr(alone, field.name)
        of_notes = len(ours) == len(notes)
        kept = ours[second] if of_notes else ours[6:]
        torch.testing.assert_close(kept, theirs, msg=field.name)


def test_the_order_of_an_attacks_notes_tells_nothing(network: ScoreNetwork) -> None:
    attacks, notes, index = draw(1, 6)
    turned = torch.arange(len(notes) - 1, -1, -1)
    there = network(attacks, notes, index)
    back = network(attacks, notes[turned], index[turned])
    torch.testing.assert_close(there.place, back.place)
    torch.testing.assert_close(there.length[turned], back.length)


def test_what_comes_later_counts(network: ScoreNetwork) -> None:
    attacks, notes, index = draw(1, 6)
    changed = attacks.clone()
    changed[0, 5] += 1.0
    first, second = network(attacks, notes, index), network(changed, notes, index)
    assert not torch.allclose(first.place[0], second.place[0])


def test_classes_are_distinct_and_in_order() -> None:
    assert sorted(set(PLACES)) == list(PLACES)
    assert max(PLACES) < QUARTER_PARTS
    assert sorted(set(INTERVALS)) == list(INTERVALS)
    assert all((f * QUARTER_PARTS).denominator == 1 for f in INTERVALS)


def test_the_network_is_as_small_as_its_card_says() -> None:
    assert sum(p.numel() for p in ScoreNetwork().parameters()) == pytest.approx(0.7e6, rel=0.05)
