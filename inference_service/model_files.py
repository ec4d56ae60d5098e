"""The part of a manifest entry that a stage's factory is given.

``model_zoo/manifest.toml`` names a factory for every model. It is called with the model's entry in
the manifest and the :class:`~inference_service.settings.ModelSettings`, once the files' checksums
have been verified, and returns the stage. Stages must not import the catalogue, a layer above
them: this Protocol is the part of an entry that they need.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol


class ModelFiles(Protocol):
    """An entry of the manifest, as factories see it."""

    @property
    def name(self) -> str:
        """The model's name in the manifest."""
        ...

    def paths(self, weights: Path) -> tuple[Path, ...]:
        """Return the model's files, in the manifest's order; none where a package carries them.

        Parameters
        ----------
        weights : Path
            Folder of the fetched weights.
        """
        ...
