"""The use cases, carried out in replicas: some conduct transcriptions, others decode and write.

What is conducted mostly waits for the stages of :mod:`inference_service.cluster.stages`; decoding
and writing keep a core busy each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from io import BytesIO
from typing import IO, TYPE_CHECKING, Final

from inference_service.cluster.cluster import Cluster
from inference_service.cluster.needs import CONDUCTING, WRITING
from inference_service.engine.memory import Claim, Memory
from inference_service.engine.service import UseCases
from inference_service.music.events import Transcription
from inference_service.pipeline.options import ContinueOptions, Preset, RenderOptions, Screen
from inference_service.pipeline.stages import StageSet
from inference_service.progress import Progress, Stage

if TYPE_CHECKING:
    from inference_service.audio.waveform import Waveform
    from inference_service.pipeline.practice import Engraving
    from inference_service.pipeline.render import Rendering
    from inference_service.pipeline.transcribe import OnPreset

_SAMPLES_BYTES: Final = 2**29
"""Decoded sound in a replica; one that decodes a longer recording has it alone."""


class RemoteUseCases:
    """The use cases for a gateway, which computes nothing itself.

    Parameters
    ----------
    build : callable
        Builds the use cases in each replica.
    cluster : Cluster
    """

    def __init__(self, build: Callable[[], UseCases], cluster: Cluster) -> None:
        self._build = build
        self._cluster = cluster
        self._conductor = cluster.reach(CONDUCTING)
        self._writer = cluster.reach(WRITING)

    def prepare(self) -> None:
        """Deploy what conducts and what writes, side by side."""

        def deploy(work: str) -> None:
            self._cluster.deploy(work, work, partial(_InReplica, self._build))

        with ThreadPoolExecutor(2, thread_name_prefix="loader") as pool:
            list(pool.map(deploy, (CONDUCTING, WRITING)))

    def check(self) -> None:
        """Check that everything is deployed and answers.

        Raises
        ------
        OSError
        """
        if problem := self._cluster.find_problem():
            raise OSError(problem)

    def close(self) -> None:
        """Leave the cluster."""
        self._cluster.disconnect()

    def decode(self, data: bytes, progress: Progress, claim: Claim) -> Waveform:
        """Decode a recording; its samples stay in memory that this machine's processes share."""
        waveform: Waveform = self._writer.call("decode", data, progress)
        claim.grow(waveform.samples.nbytes, partial(progress, Stage.DECODE, 1.0))
        return waveform

    def keep_recording(
        self, waveform: Waveform, progress: Progress, kept: MutableMapping[str, bytes]
    ) -> None:
        """Encode the recording, if recordings are to be kept."""
        kept.update(self._writer.call("keep_recording", waveform, progress))

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset,
    ) -> Transcription:
        """Transcribe a recording."""
        heard: Transcription
        heard, stems = self._conductor.call(
            "transcribe", waveform, preset, stages, progress, on_preset
        )
        kept.update(stems)
        return heard

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        """Write the files of a transcription."""
        written: Rendering = self._writer.call(
            "render", transcription, options, progress, dict(kept)
        )
        return written

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        """Write the files of a continuation."""
        written: Rendering = self._writer.call("continue_music", music, options, progress)
        return written

    def describe(self, transcription: Transcription, options: RenderOptions) -> Rendering:
        """Return what is shown beside the pages of a transcription."""
        described: Rendering = self._writer.call("describe", transcription, options)
        return described

    def engrave(
        self,
        transcription: Transcription,
        options: RenderOptions,
        screen: Screen,
        progress: Progress,
    ) -> Engraving:
        """Write a transcription as a sheet for a screen."""
        engraving: Engraving = self._writer.call(
            "engrave", transcription, options, screen, progress
        )
        return engraving

    def convert_sound(self, kept: bytes, target: IO[bytes], progress: Progress) -> None:
        """Convert a sound that was kept to FLAC."""
        target.write(self._writer.call("convert_sound", kept, progress))


class _InReplica:
    """The use cases in a replica: what they put into an argument is returned."""

    def __init__(self, build: Callable[[], UseCases]) -> None:
        self._use_cases = build()
        self._use_cases.prepare()
        self._samples = Memory(_SAMPLES_BYTES)
        self.render = self._use_cases.render
        self.continue_music = self._use_cases.continue_music
        self.describe = self._use_cases.describe
        self.engrave = self._use_cases.engrave

    def decode(self, data: bytes, progress: Progress) -> Waveform:
        with Claim(self._samples) as claim:
            return self._use_cases.decode(data, progress, claim)

    def keep_recording(self, waveform: Waveform, progress: Progress) -> dict[str, bytes]:
        kept: dict[str, bytes] = {}
        self._use_cases.keep_recording(waveform, progress, kept)
        return kept

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        on_preset: OnPreset,
    ) -> tuple[Transcription, dict[str, bytes]]:
        stems: dict[str, bytes] = {}
        heard = self._use_cases.transcribe(waveform, preset, stages, progress, stems, on_preset)
        return heard, stems

    def convert_sound(self, kept: bytes, progress: Progress) -> bytes:
        with BytesIO() as target:
            self._use_cases.convert_sound(kept, target, progress)
            return target.getvalue()
