"""The steps of melodies, counted in small pieces."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from inference_service.harmony.melodic_prior import WIDEST, load_prior
from model_zoo.training.singing.__main__ import main
from model_zoo.training.singing.prior import ARCHIVES, find_melody, learn_prior
from model_zoo.training.sources.scores import parse_score
from tests.unit.model_zoo.training.rhythm.pieces import attributes, note, write


def build_score(steps: str, fifths: int = 0) -> bytes:
    """A melody of quarters in octave 4."""
    measures = [
        (attributes(fifths=fifths) if start == 0 else "")
        + "".join(note(f"{step}4", 2) for step in steps[start : start + 4])
        for start in range(0, len(steps), 4)
    ]
    return write(measures)


@pytest.mark.parametrize(
    ("steps", "tonic", "mode"),
    [("CDEFGFEDCEGEFEDC", 0, 0), ("ABCDEDCBAECBABCA", 9, 1), ("CDEFGFEDCEGEFEDE", 0, 0)],
)
def test_the_key_is_that_of_the_last_note_or_of_the_longest(
    steps: str, tonic: int, mode: int
) -> None:
    melody = find_melody(parse_score("tune", build_score(steps)))
    assert melody is not None
    assert melody[1:] == (tonic, mode)
    assert len(melody[0]) == len(steps)


def test_short_pieces_have_no_melody() -> None:
    assert find_melody(parse_score("tune", build_score("CDEC"))) is None


def test_what_was_counted_is_likelier_and_all_sums_to_one() -> None:
    melody = find_melody(parse_score("tune", build_score("CDEFGFEDCEGEFEDC")))
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
                files.writestr(f"{archive}-{number}.musicxml", build_score("CDEFGFEDCEGEFEDC"))
    target = tmp_path / "melody.safetensors"
    main(["--data", str(tmp_path), "prior", "--target", str(target)])
    assert load_prior(target).last[0].argmax() == 0
