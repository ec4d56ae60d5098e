"""The stages of a transcription, each in replicas of its own."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from inference_service.audio.waveform import Waveform
from inference_service.cluster.calls import Remote
from inference_service.pipeline.options import Preset
from inference_service.pipeline.stages import Separator, Tagger
from inference_service.progress import Report


class RemoteStage:
    """A stage of any task; its methods are those of the task's Protocol.

    Parameters
    ----------
    remote : Remote
    """

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked for by pickle, before there are attributes
            raise AttributeError(name)
        return partial(self._remote.call, name)


class RemoteRouter:
    """The router. Its models are part of it, and not to be called from here."""

    taggers: Mapping[str, Tagger] = {}

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    def classify(
        self, waveform: Waveform, separator: Separator, report: Report
    ) -> Mapping[Preset, float]:
        """Return the probabilities of presets."""
        found: Mapping[Preset, float] = self._remote.call("classify", waveform, separator, report)
        return found
