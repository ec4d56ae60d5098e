"""Excerpts of melodies with their bars, and very short runs of the training."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.rhythm.from_notes.melody_bars import Melody, MelodyBarReader
from inference_service.rhythm.from_notes.melody_network import (
    BAR_TICKS,
    FEATURES,
    FIRST_PLACE,
    PLACES,
    MelodyBarNetwork,
    MelodyBarNetworkConfig,
)
from inference_service.rhythm.from_notes.score_network import INTERVALS, METRES
from model_zoo.training.rhythm import barred, melodies, melody_excerpts
from model_zoo.training.rhythm.__main__ import main
from model_zoo.training.rhythm.barred import POLISH, SONGS, BarredMelody, Melodies
from model_zoo.training.rhythm.melodies import (
    compute_loss,
    count_openings,
    measure,
    score_example,
    score_phases,
    train_melodies,
)
from model_zoo.training.rhythm.melody_excerpts import (
    HELD_OUT,
    LEARNT_FROM,
    Draw,
    Example,
    Excerpts,
    draw_example,
)
from tests.unit.model_zoo.training.rhythm.melodies import build_melodies, write_archives
from tests.unit.rhythm.from_notes.readings import even

SMALL = MelodyBarNetworkConfig(width=8, dilations=(1, 2, 4))
FOUR, WALTZ = METRES.index((4, 4)), METRES.index((3, 4))
WHOLE = Excerpts((8, 32), 1.0)
"""Excerpts that begin where the melody does."""


@pytest.fixture(autouse=True)
def use_one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(name="clean")
def corrupt_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Excerpts have the notes of the melody."""
    monkeypatch.setattr(melody_excerpts, "_LOST", (0.0,))
    monkeypatch.setattr(melody_excerpts, "_WRONG_PITCH", 0.0)
    monkeypatch.setattr(melody_excerpts, "_MISPLACED", 0.0)


def draw_many(
    melody: BarredMelody, number: int = 60, excerpts: Excerpts = HELD_OUT
) -> list[Example]:
    found = [draw_example(melody, np.random.default_rng(seed), excerpts) for seed in range(number)]
    return [example for example in found if example is not None]


@pytest.mark.usefixtures("clean")
def test_the_written_reading_is_the_target() -> None:
    waltz, _ = build_melodies()
    examples = draw_many(waltz, excerpts=WHOLE)
    assert examples
    for example in examples:
        assert example.target == FIRST_PLACE[WALTZ] + 4
        assert example.is_steady
        as_written, halved, doubled = example.features
        assert np.flatnonzero(as_written[0])[:5].tolist() == [0, 4, 12, 16, 24]
        assert np.flatnonzero(halved[0])[:5].tolist() == [0, 2, 6, 8, 12]
        assert np.flatnonzero(doubled[0])[:5].tolist() == [0, 8, 24, 32, 48]


def test_excerpts_begin_anywhere_with_bars_where_they_are() -> None:
    waltz, _ = build_melodies()
    targets = {example.target - FIRST_PLACE[WALTZ] for example in draw_many(waltz, 200)}
    assert targets >= {0, 4}, "half notes on downbeats, quarters before them"
    assert targets <= set(range(BAR_TICKS[WALTZ]))


def test_features_are_of_the_three_scales() -> None:
    for melody in build_melodies():
        for example in draw_many(melody):
            lengths = [features.shape[1] for features in example.features]
            assert all(features.shape[0] == FEATURES for features in example.features)
            assert lengths[1] < lengths[0] < lengths[2] <= melody_excerpts.LONGEST_TICKS


def test_simulated_errors_keep_notes_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(melody_excerpts, "_MISPLACED", 0.5)
    onset_q = np.arange(0.0, 20.0, 0.5)
    changed = False
    for seed in range(30):
        found = melody_excerpts._corrupt(
            onset_q, np.full(40, 0.5), np.full(40, 60), np.random.default_rng(seed)
        )
        assert len({len(values) for values in found}) == 1
        assert (np.diff(found[0]) >= 0).all()
        assert (found[1] > 0).all()
        assert np.abs(found[2] - 60).max() <= 2
        changed |= not np.isin(found[0], onset_q).all()
    assert changed


def test_what_is_too_short_is_not_drawn() -> None:
    waltz, _ = build_melodies()
    few = replace(
        waltz, onset_q=waltz.onset_q[:15], duration_q=waltz.duration_q[:15], pitch=waltz.pitch[:15]
    )
    assert draw_many(few) == []


@pytest.mark.usefixtures("clean")
def test_bars_follow_pauses_that_are_too_long_or_too_short() -> None:
    waltz, _ = build_melodies()
    excerpts = Excerpts((8, 32), 1.0, breaks=1.0)
    broken = [e for e in draw_many(waltz, excerpts=excerpts) if not e.is_steady]
    assert broken
    for example in broken:
        struck = np.flatnonzero(example.features[0][0])
        places = (struck - example.shifts[struck] - 4) % 12
        assert set(places.tolist()) <= {0, 4, 8}, "notes stand where they are written"
        assert len(example.shifts) == example.features[0].shape[1]


@pytest.mark.usefixtures("clean")
def test_excerpts_begin_with_phrases() -> None:
    _, tune = build_melodies()
    long = replace(tune, onset_q=tune.onset_q + 4.0 * np.floor(np.arange(len(tune.pitch)) / 16))
    begun = draw_many(long, excerpts=Excerpts((6, 10), 0.0, 1.0))
    assert {example.target - FIRST_PLACE[FOUR] for example in begun} == {0}


def test_the_written_reading_is_scored_beside_the_others() -> None:
    torch.manual_seed(0)
    network = MelodyBarNetwork(SMALL).eval()
    waltz, _ = build_melodies()
    example = draw_many(waltz)[0]
    broken = replace(example, shifts=example.shifts + 2)
    with torch.inference_mode():
        scores, target = score_example(network, example)
        assert (len(scores), target) == (3 * PLACES, example.target)
        scores, target = score_example(network, broken)
    assert (len(scores), target) == (4 * PLACES, example.target)
    later = FIRST_PLACE[WALTZ] + (example.target - FIRST_PLACE[WALTZ] + 2) % 12
    assert float(scores[target]) == pytest.approx(float(scores[PLACES + later]), abs=1e-4)


def test_only_songs_are_compared_in_all_scales() -> None:
    waltz, _ = build_melodies()
    assert {len(example.features) for example in draw_many(waltz)} == {3}
    assert {len(e.features) for e in draw_many(replace(waltz, corpus=POLISH))} == {1}


def test_a_seed_is_a_batch_of_the_metres_and_corpora_there_are() -> None:
    waltz, tune = build_melodies()
    learnt = [replace(waltz, corpus=POLISH), tune, waltz]
    first, second = (Draw(learnt).draw(np.random.default_rng(5), 12) for _ in range(2))
    assert [example.target for example in first] == [example.target for example in second]
    for ours, theirs in zip(first, second, strict=True):
        for here, there in zip(ours.features, theirs.features, strict=True):
            np.testing.assert_array_equal(here, there)
    metres = {int(np.searchsorted(FIRST_PLACE, e.target, side="right")) - 1 for e in first}
    assert metres == {WALTZ, FOUR}


def test_every_corpus_has_a_share() -> None:
    assert set(melody_excerpts.CORPUS_SHARES) == set(barred.CORPORA)
    assert sum(melody_excerpts.CORPUS_SHARES.values()) == pytest.approx(1.0)
    assert LEARNT_FROM.breaks > 0
    assert build_melodies()[0].corpus == SONGS


def test_nothing_can_be_learnt_from_nothing() -> None:
    with pytest.raises(ValueError, match="no melodies"):
        Draw([])


def test_first_phases_are_probabilities_of_each_metre() -> None:
    waltz, tune = build_melodies()
    opening = np.exp(count_openings([waltz] * 30 + [tune]))
    sums = np.add.reduceat(opening, FIRST_PLACE)
    np.testing.assert_allclose(sums, np.ones(len(METRES)), rtol=1e-5)
    assert opening[FIRST_PLACE[WALTZ] + 4] == pytest.approx(30.3 / (30 + 0.3 * 12))
    assert opening[FIRST_PLACE[FOUR]] > 5 * opening[FIRST_PLACE[FOUR] + 1] / 2
    np.testing.assert_allclose(opening[: BAR_TICKS[0]], 1 / BAR_TICKS[0], rtol=1e-5)


@pytest.mark.parametrize("ticks", [1, 11, 48, 101])
def test_scores_are_sums_of_potentials_along_the_bars(ticks: int) -> None:
    torch.manual_seed(0)
    potentials, bias = torch.randn(PLACES, ticks), torch.randn(len(METRES))
    scores = score_phases(potentials, bias)
    for metre, (first, length) in enumerate(zip(FIRST_PLACE, BAR_TICKS, strict=True)):
        for phase in range(length):
            total = sum(float(potentials[first + (t - phase) % length, t]) for t in range(ticks))
            expected = total + float(bias[metre])
            assert float(scores[first + phase]) == pytest.approx(expected, abs=1e-4)


def test_right_answers_cost_nothing_and_wrong_ones_much() -> None:
    scores = torch.zeros(3 * PLACES)
    assert float(compute_loss(scores, 7)) == pytest.approx(np.log(3 * PLACES), rel=1e-5)
    scores[7] = 30.0
    assert float(compute_loss(scores, 7)) < 1e-3
    assert float(compute_loss(scores, 8)) > 20


def test_what_is_right_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    target = FIRST_PLACE[WALTZ] + 4
    found = iter([target, target + 1, FIRST_PLACE[FOUR] + 4, PLACES + target])
    monkeypatch.setattr(
        melodies,
        "score_example",
        lambda *_: (
            20.0 * torch.nn.functional.one_hot(torch.tensor(next(found)), 3 * PLACES),
            target,
        ),
    )
    figures = measure(MelodyBarNetwork(SMALL), [Example((), target, np.zeros(0, np.int64))] * 4)
    assert figures["scale"] == 0.75
    assert figures["metre"] == 0.5
    assert figures["bars"] == 0.25
    assert figures["loss"] == pytest.approx(15, abs=0.1)


def test_training_writes_what_serves_and_a_curve(tmp_path: Path) -> None:
    ticking = count(step=15.0)
    options = replace(
        melodies.OPTIONS,
        minutes=1.5,
        batch=2,
        report_every_s=45.0,
        clock=lambda: next(ticking),
    )
    said: list[str] = []
    found = build_melodies()
    given = Melodies(tuple(found), tuple(found[:1]))
    network = train_melodies(given, tmp_path, options, said.append, SMALL)
    lines = [json.loads(text) for text in said]
    assert len(lines) > 1
    for line in lines:
        assert set(line["dev"]) == {"loss", "scale", "metre", "bars"}
        assert 0 <= line["dev"]["bars"] <= line["dev"]["metre"] <= line["dev"]["scale"] <= 1
    np.testing.assert_allclose(network.opening.numpy(), count_openings(found), rtol=1e-6)
    assert (tmp_path / "checkpoint.safetensors").stat().st_size > 0
    read_scale(tmp_path / "melody_bars.safetensors")


def read_scale(weights: Path) -> None:
    """Read a melody by weights that were learnt in moments, whatever they make of it."""
    onset_s = np.arange(0.0, 4.0, 0.5)
    interval = even(8, len(INTERVALS))
    melody = Melody(onset_s, np.full(8, 0.4), 60 + np.arange(8), 24 * np.arange(8), 0, interval)
    readings = MelodyBarReader(weights).read(melody)
    assert {reading.bars.metre for reading in readings} == set(METRES)
    assert np.isfinite([reading.score for reading in readings]).all()


def test_steps_make_the_loss_smaller() -> None:
    torch.manual_seed(0)
    network = MelodyBarNetwork(MelodyBarNetworkConfig(width=16, dilations=(1, 2, 4)))
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)
    found, drawing, random = [], Draw(build_melodies()), np.random.default_rng(2)
    for examples in (drawing.draw(random, 4) for _ in range(30)):
        losses = [compute_loss(*score_example(network, e)) for e in examples]
        loss = torch.stack(losses).mean()
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        found.append(loss.item())
    assert np.mean(found[-5:]) < 0.6 * np.mean(found[:3])


def test_the_command_line_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_archives(tmp_path)
    monkeypatch.setattr(barred, "iterate_tunes", lambda _: [])
    monkeypatch.setattr(barred, "drop_known", lambda melodies, _: list(melodies))
    out = tmp_path / "out"
    main(["melodies", "--data", str(tmp_path), "--out", str(out), "--minutes", "0"])
    assert (out / "melodies" / "checkpoint.safetensors").stat().st_size > 0
    read_scale(out / "melodies" / "melody_bars.safetensors")
