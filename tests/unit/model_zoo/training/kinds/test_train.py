"""The network of kinds is fitted, cross-validated and kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference_service.tagger.notes.kinds import FEATURES, KINDS
from model_zoo.training.kinds.train import (
    FREE,
    Example,
    Vocals,
    cross_validate,
    fit,
    load,
    print_table,
    rate,
    save,
    select,
)


def draw_examples(seed: int, half: int, count: int = 40) -> list[Example]:
    """Return examples whose first features tell their kind."""
    random = np.random.default_rng(seed)
    examples = []
    for index, kind in enumerate(KINDS):
        for _ in range(count):
            features = random.standard_normal((2, FEATURES)).astype(np.float32)
            features[:, index] += 8.0
            examples.append(Example(kind, f"a {kind}", half, features))
    return examples


def freed(examples: list[Example]) -> list[Example]:
    """Return the examples as if their terms allowed training."""
    return [replace(example, source=next(iter(FREE))) for example in examples]


def test_only_free_recordings_and_scenes_are_fitted() -> None:
    scenes, measured = draw_examples(1, -1, 1), draw_examples(2, 0, 1)
    free = freed(draw_examples(3, 1, 1))
    chosen = select([*scenes, *measured, *free])
    assert list(map(id, chosen)) == list(map(id, [*scenes, *free]))
    assert list(map(id, select([*scenes, *free], without_half=1))) == list(map(id, scenes))


def test_what_was_not_fitted_is_recognised() -> None:
    network = fit(draw_examples(1, 0) + draw_examples(2, -1))
    others = draw_examples(3, 1)
    assert np.mean([rate(network, example) == example.kind for example in others]) > 0.9


def test_each_half_is_rated_by_what_the_other_teaches() -> None:
    misled = [
        Example(KINDS[(KINDS.index(e.kind) + 1) % len(KINDS)], e.source, 1, e.features)
        for e in draw_examples(5, 1)
    ]
    table = cross_validate(freed(draw_examples(4, 0) + misled))
    assert sum(row[kind] for (kind, _), row in table.items()) < 80


def test_vocals_decide_whether_a_band_has_a_singer() -> None:
    network = fit(draw_examples(1, -1))
    singer, band, doubtful = (np.zeros((1, FEATURES), np.float32) for _ in range(3))
    singer[:, KINDS.index("voice")] = 8.0
    band[:, KINDS.index("ensemble")] = 8.0
    doubtful[:, [KINDS.index("ensemble"), KINDS.index("song")]] = 8.0
    for vocals, kind in ((Vocals(np.array([-4], np.float32), singer), "song"),
                         (Vocals(np.array([-40], np.float32), singer), "ensemble"),
                         (Vocals(np.array([-4], np.float32), band), "ensemble")):  # fmt: skip
        assert rate(network, Example(kind, "a band", 0, doubtful, vocals)) == kind


def test_examples_are_kept(tmp_path: Path) -> None:
    examples = draw_examples(6, 1, count=2)
    random = np.random.default_rng(7)
    vocals = Vocals(np.array([-3, -9], np.float32), random.random((2, FEATURES), np.float32))
    examples[3] = replace(examples[3], vocals=vocals)
    save(examples, tmp_path / "kinds" / "recordings.npz")
    kept = load(tmp_path / "kinds" / "recordings.npz")
    assert [(e.kind, e.source, e.half) for e in kept] == [
        (e.kind, e.source, e.half) for e in examples
    ]
    np.testing.assert_array_equal(kept[3].features, examples[3].features)
    assert [number for number, example in enumerate(kept) if example.vocals is not None] == [3]
    assert kept[3].vocals is not None
    np.testing.assert_array_equal(kept[3].vocals.levels_db, vocals.levels_db)
    np.testing.assert_array_equal(kept[3].vocals.features, vocals.features)


def test_the_table_sums_up_each_kind(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(cross_validate(draw_examples(7, -1) + draw_examples(8, 1)), print)
    printed = capsys.readouterr().out
    assert "| a guitar | guitar |" in printed
    assert "of 320" in printed
