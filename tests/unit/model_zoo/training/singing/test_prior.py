"""The steps of melodies, counted in small pieces."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from inference_service.harmony.melodic_prior import WIDEST, load_prior
from model_zoo.training.singing.__main__ import main
from model_zoo.training.singing.prior import MAX_NOTES, find_steps, learn_prior
from model_zoo.training.sources.melodies import ARCHIVES
from model_zoo.training.sources.scores import parse_score
from tests.unit.model_zoo.training.rhythm.pieces import write_melody


def test_the_beginnings_of_long_melodies_are_counted() -> None:
    melody = find_steps(parse_score("tune", write_melody("CDEFGFEDCEGEFEDC" * 20)))
    assert melody is not None
    assert len(melody[0]) == MAX_NOTES < 16 * 20
    assert melody[1:] == (0, 0)


def test_short_pieces_have_no_melody() -> None:
    assert find_steps(parse_score("tune", write_melody("CDEC"))) is None


def test_what_was_counted_is_likelier_and_all_sums_to_one() -> None:
    melody = find_steps(parse_score("tune", write_melody("CDEFGFEDCEGEFEDC")))
    assert melody is not None
    prior = learn_prior([melody] * 20)
    for table in (prior.first, prior.second, prior.following, prior.last):
        assert np.allclose(np.exp(table).sum(axis=-1), 1.0, atol=1e-4)
    down, up = WIDEST - 2, WIDEST + 2
    assert prior.second[0, 0, up] > prior.second[0, 0, WIDEST + 1]
    assert prior.following[0, down, 2, down] > prior.following[0, down, 2, WIDEST - 1]
    assert prior.last[0].argmax() == 0


def test_the_command_writes_what_the_decoder_reads(tmp_path: Path) -> None:
    symbolic = tmp_path / "symbolic"
    symbolic.mkdir()
    for archive in ARCHIVES:
        with zipfile.ZipFile(symbolic / f"{archive}.zip", "w") as files:
            for number in range(3):
                files.writestr(f"{archive}-{number}.musicxml", write_melody("CDEFGFEDCEGEFEDC"))
    target = tmp_path / "melody.safetensors"
    main(["--data", str(tmp_path), "prior", "--target", str(target)])
    assert load_prior(target).last[0].argmax() == 0
