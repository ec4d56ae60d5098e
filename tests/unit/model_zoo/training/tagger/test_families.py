"""Training of the head for families on the network's features of notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from inference_service.music.families import FAMILIES
from inference_service.tagger.notes.network import NoteNet, NoteNetConfig
from model_zoo.training.sound.fluidsynth import RATE_HZ
from model_zoo.training.tagger import families
from model_zoo.training.tagger.families import FRAMES, FitOptions, Notes, fit, hear_notes, load
from model_zoo.training.tagger.take import Take

SMALL = NoteNetConfig(
    front_end_channels=4, channels=8, width=24, layers=1, heads=2, family_width=16
)
ORGAN, WINDS = FAMILIES.index("organ"), FAMILIES.index("winds")


def take_of(*notes: tuple[float, float, float, int]) -> Take:
    rows = np.array([(on, off, pitch, 80.0, family) for on, off, pitch, family in notes])
    noise = np.random.default_rng(0).standard_normal(2 * RATE_HZ) * 0.05
    return Take(noise.astype(np.float32), rows, np.zeros((0, 3)))


def test_each_note_is_heard_where_it_sounds() -> None:
    """Only notes that begin within the take and lie in the piano's range are used."""
    torch.manual_seed(0)
    network = NoteNet(SMALL).eval()
    take = take_of(
        (-0.1, 0.5, 60, ORGAN),
        (0.1, 1.9, 60, ORGAN),
        (0.5, 0.51, 72, ORGAN),
        (0.7, 1.0, 120, ORGAN),
        (1.0, 1.2, 64, WINDS),
    )
    notes = hear_notes(network, take)
    with torch.inference_mode():
        places = (
            network.compute_head_inputs(torch.from_numpy(take.samples)[None])
            .places[0]
            .half()
            .numpy()
        )
    assert notes.family.tolist() == [ORGAN, ORGAN, WINDS]
    assert notes.weight == pytest.approx([2**-0.5, 2**-0.5, 1.0])
    for row, (frames, pitch) in enumerate(
        [([5, 12, 19, 26], 60), ([25] * FRAMES, 72), ([50, 52, 55, 58], 64)]
    ):
        assert np.array_equal(notes.places[row], places[:, frames, pitch - 21].T)


def test_the_head_learns_what_tells_families_apart() -> None:
    random = np.random.default_rng(0)
    family = random.integers(0, 3, 1500)
    places = random.standard_normal((1500, FRAMES, 2 * SMALL.channels)) * 0.5
    places[np.arange(1500), :, family] += 2.0
    notes = Notes(places.astype(np.float16), family, np.ones(1500, np.float32))
    network = NoteNet(SMALL).eval()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    fit(network, notes, lambda _: None, FitOptions(epochs=60, learning_rate=0.02))
    with torch.inference_mode():
        families = network.families(torch.from_numpy(places).float().permute(0, 2, 1)[..., None])
    assert (families[..., 0].mean(-1).argmax(1).numpy() == family).mean() > 0.97
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]) != name.startswith("families.")


def test_what_was_heard_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> Iterator[Take]:
        while True:
            yield take_of((0.2, 0.6, 60, ORGAN), (0.2, 0.6, 70, WINDS))

    monkeypatch.setattr(families, "iterate_examples", endless)
    monkeypatch.setattr(families, "KEPT_TOGETHER", 2)
    with pytest.raises(FileNotFoundError, match="no notes"):
        load(tmp_path)
    said: list[str] = []
    network = NoteNet(SMALL).eval()
    families.collect(tmp_path, tmp_path, network, 1e-5, 1, 7, said.append)
    notes = load(tmp_path)
    assert len(said) == 1
    assert [path.name for path in tmp_path.glob("*.npz")] == ["0007-0000.npz"]
    assert notes.family.tolist() == [ORGAN, WINDS] * 2
    assert notes.places.shape == (4, FRAMES, 2 * SMALL.channels)
