"""The engine: takes requests, yields updates and files, and replaces models meanwhile.

Transcriptions run one at a time in the thread that owns the device, or several at once where the
stages run elsewhere or share a GPU. Recordings are decoded in threads and processes of their own
while they wait for it, so that one which is slow to decode delays no other. Five further threads
write files: those of transcriptions, pages of cached results, sheets to practise from, sound, and
continuations, which take longest. So no kind of request waits for another. Everything else here
runs on the event loop.
"""

from __future__ import annotations

import asyncio
import os
import time
import zipfile
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Iterator,
    Mapping,
    MutableMapping,
    Sequence,
)
from contextlib import aclosing, closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING, Final, Protocol

import structlog

from inference_service.engine.corrected import Lineage
from inference_service.engine.durations import Durations, Kind, find_kind
from inference_service.engine.heap import Heap
from inference_service.engine.memory import Claim, Memory
from inference_service.engine.progress_meter import ProgressMeter, StageUpdate
from inference_service.engine.queue import Admission
from inference_service.engine.registry import ModelRegistry
from inference_service.engine.results import CachedResult, Heard, OpenSound, ResultStore
from inference_service.engine.reuse import Reuse
from inference_service.engine.worker import Job, Update, Work, Worker
from inference_service.errors import Cancelled, ShuttingDown, SoundUnavailable
from inference_service.music.events import Transcription
from inference_service.pipeline.options import (
    ContinueOptions,
    Format,
    Preset,
    RenderOptions,
    Screen,
    TranscribeOptions,
)
from inference_service.pipeline.stages import StageSet
from inference_service.progress import Progress, Stage

if TYPE_CHECKING:  # the real import takes seconds, and the server answers before
    from inference_service.audio.waveform import Waveform
    from inference_service.pipeline.practice import Engraving, Sheet
    from inference_service.pipeline.render import Artifact, Rendering
    from inference_service.pipeline.shown import Shown
    from inference_service.pipeline.transcribe import OnPreset

_log = structlog.get_logger()

_STOP_GRACE_S: Final = 5.0
_SOUND: Final = frozenset({Kind.PREVIEW, Kind.STEMS})
_LOOK_AGAIN_S: Final = 2.0
"""A request that has waited this long for its turn looks whether another service was faster."""
_SAMPLES_BYTES: Final = 2**30
"""Decoded sound held at once: 50 minutes of stereo."""


class UseCases(Protocol):
    """The use cases of the pipeline, which the engine calls in its threads."""

    def prepare(self) -> None:
        """Import modules that the first request would otherwise wait for."""
        ...

    def check(self) -> None:
        """Check that the files and folders that requests need are there.

        Raises
        ------
        OSError
        """
        ...

    def close(self) -> None:
        """Remove temporary files."""
        ...

    def decode(self, data: bytes, progress: Progress, claim: Claim) -> Waveform:
        """Decode a recording, claiming memory for its samples; called in several threads."""
        ...

    def keep_recording(
        self, waveform: Waveform, progress: Progress, kept: MutableMapping[str, bytes]
    ) -> None:
        """Add the recording to ``kept`` as an Opus file, if recordings are to be kept."""
        ...

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset,
    ) -> Transcription:
        """Transcribe a recording; the stems of a song are added to ``kept`` as Opus files.

        ``on_preset`` is called with the choice in place of ``AUTO``.
        """
        ...

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        """Write the files of a transcription."""
        ...

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        """Write the files of a continuation."""
        ...

    def describe(self, transcription: Transcription, options: RenderOptions) -> Rendering:
        """Return what :meth:`render` does, without files."""
        ...

    def engrave(
        self,
        transcription: Transcription,
        options: RenderOptions,
        screen: Screen,
        progress: Progress,
    ) -> Engraving:
        """Write a transcription as a sheet for a screen."""
        ...

    def convert_sound(self, kept: bytes, target: IO[bytes], progress: Progress) -> None:
        """Convert a sound that was kept to FLAC."""
        ...


@dataclass(frozen=True, slots=True)
class Rendered:
    """The outcome of a request: the result with its corrections, the options, and the files.

    ``is_lasting`` is false if the disk did not take the result, which then ends with the service.
    """

    result_id: str
    lineage: Lineage
    transcription: Transcription
    options: RenderOptions
    shown: Shown
    artifacts: tuple[Artifact, ...]
    is_lasting: bool = True


@dataclass(frozen=True, slots=True)
class Engraved:
    """The outcome of an engraving: the result, its sheet, and the names of its sounds."""

    rendered: Rendered
    sheet: Sheet
    sounds: tuple[str, ...]


@dataclass(slots=True)
class Counters:
    """Number of requests completed and failed since the start; cancelled ones count as neither."""

    completed: int = 0
    failed: int = 0

    @contextmanager
    def count(self) -> Iterator[None]:
        """Count the block as completed or failed."""
        try:
            yield
        except Cancelled:
            raise
        except Exception:
            self.failed += 1
            raise
        self.completed += 1


class Engine:
    """Runs requests.

    Parameters
    ----------
    registry : ModelRegistry
    results : ResultStore
    use_cases : UseCases
    queue_size, render_queue_size : int
        Limits on the transcriptions and on the renderings held at once.
    caller_share : float
        Part of either limit that one caller may use.
    yield_s : float
        How late an upload, or the reading of an answer, is when it gives way to other requests.
    stuck_s : float
        Time that a thread has to return from a job that should have stopped.
    observe_stage : callable
        Called with each stage's name and duration in seconds.
    count_reused : callable
        Called for each recording that is not heard again.
    reuse : Reuse, optional
        Lets requests share what is heard of a recording; none: each request hears its own.
    width : int
        Number of transcriptions that run at once.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        results: ResultStore,
        use_cases: UseCases,
        *,
        queue_size: int,
        render_queue_size: int,
        caller_share: float,
        yield_s: float,
        stuck_s: float,
        observe_stage: Callable[[str, float], None],
        count_reused: Callable[[], None],
        reuse: Reuse | None = None,
        width: int = 1,
    ) -> None:
        self.registry = registry
        heap = Heap()
        build_queue = partial(Admission, on_leave=heap.trim_soon, yield_s=yield_s)
        self.transcriptions = build_queue(queue_size, share=caller_share)
        self.renderings = build_queue(render_queue_size, share=caller_share)
        self.deliveries = build_queue(queue_size + render_queue_size)
        self.counters = Counters()
        self._results = results
        self._use_cases = use_cases
        self._stuck_s = stuck_s
        self._observe_stage = observe_stage
        self._count_reused = count_reused
        self._reuse = reuse
        self._durations = Durations()
        self._samples = Memory(_SAMPLES_BYTES)
        self._device = Worker(
            "device",
            # As many places are freed in this time as transcriptions run.
            lambda duration_s: self.transcriptions.note_duration(duration_s / width),
            preparing=queue_size,
            width=width,
        )
        self._engraver = Worker("engraver")
        self._renderer = Worker("renderer", self.renderings.note_duration)
        self._practice = Worker("practice", self.renderings.note_duration)
        self._player = Worker("player", self.renderings.note_duration)
        self._composer = Worker("composer", self.renderings.note_duration)

    @property
    def _writers(self) -> tuple[Worker, ...]:
        return (self._engraver, self._renderer, self._practice, self._player, self._composer)

    @property
    def busy(self) -> bool:
        """Whether a transcription is running."""
        return self._device.running > 0

    @property
    def queue_length(self) -> int:
        """Number of admitted transcriptions that are not running."""
        return max(0, len(self.transcriptions) - self._device.running)

    async def load(self) -> None:
        """Load the models, then start on the requests that have been waiting for them.

        Raises
        ------
        ModelError
            If a model does not load.
        """
        for worker in self._writers:
            worker.start()
        await self.registry.load()
        await asyncio.to_thread(self._use_cases.prepare)
        self._device.start()

    async def find_problem(self) -> str:
        """Return why no request can be served, or an empty text."""
        for worker in (self._device, *self._writers):
            if worker.overdue_s > self._stuck_s:
                return f"the {worker.name} thread is still at a job that should have stopped"
        try:
            await asyncio.to_thread(self._use_cases.check)
        except OSError as error:
            return f"{error.filename or 'a file'}: {error.strerror or error}"
        return ""

    def transcribe(
        self, data: bytes, options: TranscribeOptions, deadline_s: float
    ) -> AsyncIterator[Update | Rendered]:
        """Transcribe a recording and write its files: yields updates, then one :class:`Rendered`.

        What was heard before is not heard again. The caller must have been admitted by
        :attr:`transcriptions`. Closing the iterator stops the work.

        Parameters
        ----------
        data : bytes
            An audio or video file.
        options : TranscribeOptions
        deadline_s : float
            On ``time.monotonic``'s clock.

        Raises
        ------
        NotabotError
            If the transcription or the writing fails.
        """
        if self._reuse is None:
            return self._transcribe(data, options, deadline_s)

        def hear(data: bytes, recording: str) -> AsyncGenerator[Update | Rendered, None]:
            return self._transcribe(data, options, deadline_s, recording)

        def write(heard: Heard, key: str) -> AsyncGenerator[Update | Rendered, None]:
            return self._write_heard(heard, key, options, deadline_s)

        return self._reuse.share(data, options.preset, deadline_s, hear, write)

    async def _transcribe(
        self, data: bytes, options: TranscribeOptions, deadline_s: float, recording: str = ""
    ) -> AsyncGenerator[Update | Rendered, None]:
        """Hear a recording and write its files.

        ``recording`` is its hash, if what is heard is to be found again.
        """
        meter = ProgressMeter(self._durations.expect_heard(options.preset))
        kept: dict[str, bytes] = {}
        start_s = time.monotonic()
        channels = 1
        key = ""

        def find(models: Mapping[str, str]) -> Heard | None:
            """Return what was heard meanwhile, if the request has waited for its turn."""
            nonlocal key
            if self._reuse is None or not recording:
                return None
            key = self._reuse.build_key(recording, options.preset, models)
            waited_s = time.monotonic() - start_s
            return self._reuse.find(key) if waited_s > _LOOK_AGAIN_S else None

        def hear(waveform: Waveform, progress: Progress) -> Transcription | Heard:
            stages, length_s = self.registry.stages, waveform.duration_s
            if (found := find(stages.models)) is not None:
                return found
            _log.info("transcription_began", preset=options.preset, models=dict(stages.models))
            heard = self._use_cases.transcribe(
                waveform,
                options.preset,
                stages,
                progress,
                kept,
                lambda preset: meter.expect(self._durations.expect_heard(preset, length_s)),
            )
            return replace(heard, timings_s={**meter.timings_s, **heard.timings_s})

        def decode(data: bytes, claim: Claim, progress: Progress) -> Work[Transcription | Heard]:
            nonlocal channels
            waveform = self._use_cases.decode(data, progress, claim)
            self._use_cases.keep_recording(waveform, progress, kept)
            channels = len(waveform.samples)
            meter.expect(
                self._durations.expect_heard(options.preset, waveform.duration_s, channels)
            )
            return partial(hear, waveform)

        def write(progress: Progress) -> Rendered:
            written = self._use_cases.render(transcription, options.render, progress, kept)
            result = CachedResult(transcription, options.render.title)
            return self._keep(self._results.put(result, kept, key), transcription, written)

        with Claim(self._samples) as claim:
            hearing = Job(None, meter, deadline_s, partial(decode, data, claim), Stage.NOTATION)
            del data  # held by the job alone, until it is decoded
            async with self._device.submit(hearing) as job:
                async for update in job.updates():
                    yield update
                heard = await job.result()
        if isinstance(heard, Heard):
            async with aclosing(self._write_heard(heard, key, options, deadline_s)) as events:
                async for event in events:
                    yield event
            return
        transcription = heard
        async with self._engraver.submit(Job(write, meter, deadline_s)) as writing:
            async for update in writing.updates():
                if isinstance(update, StageUpdate):
                    yield update
            rendered = await writing.result()
        for stage, seconds in meter.timings_s.items():
            self._observe_stage(stage, seconds)
        used, length_s = Preset(transcription.preset), transcription.duration_s
        self._durations.learn_heard(used, length_s, channels, meter.timings_s)
        _log.info(
            "transcription_done",
            preset=transcription.preset,
            audio_s=round(transcription.duration_s, 3),
            wall_s=round(time.monotonic() - start_s, 3),
            models=dict(transcription.models),
            timings_s={stage: round(s, 3) for stage, s in meter.timings_s.items()},
        )
        timings_s = {**meter.timings_s, **transcription.timings_s}
        timed = replace(rendered.transcription, timings_s=timings_s)
        yield replace(rendered, transcription=timed)

    def _write_heard(
        self, heard: Heard, key: str, options: TranscribeOptions, deadline_s: float
    ) -> AsyncGenerator[Update | Rendered, None]:
        """Give a request a result of what was heard before, and write its files."""
        # Nothing was measured, as no stage ran.
        transcription = replace(heard.transcription, timings_s={})

        def write(progress: Progress) -> Rendered:
            has_stems = Format.STEMS in options.render.formats
            kept = self._results.get_sounds(heard.result_id) if has_stems else {}
            written = self._use_cases.render(transcription, options.render, progress, kept)
            result = CachedResult(transcription, options.render.title)
            root_id = self._results.put_again(heard.result_id, result, key)
            return self._keep(root_id, transcription, written)

        self._count_reused()
        _log.info(
            "transcription_reused",
            preset=transcription.preset,
            audio_s=round(transcription.duration_s, 3),
        )
        return self._write(self._engraver, write, find_kind(options.render), 0.0, deadline_s)

    def render(
        self, result_id: str, options: RenderOptions, deadline_s: float
    ) -> AsyncIterator[StageUpdate | Rendered]:
        """Write the files of a cached result; yields like :meth:`transcribe`.

        An empty title stands for the title of the transcription.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        """

        def write(progress: Progress) -> Rendered:
            cached = self._results.get(result_id)
            titled = replace(options, title=options.title or cached.title)
            kept = self._results.get_sounds(result_id) if Format.STEMS in titled.formats else {}
            written = self._use_cases.render(cached.transcription, titled, progress, kept)
            return self._keep(result_id, cached.transcription, written)

        kind = find_kind(options)
        worker = self._player if kind in _SOUND else self._renderer
        return self._write(worker, write, kind, 0.0, deadline_s)

    def continue_music(
        self, result_id: str, options: ContinueOptions, deadline_s: float
    ) -> AsyncIterator[StageUpdate | Rendered]:
        """Write a continuation of a cached result; yields like :meth:`render`.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        NothingToContinue
            If it has too few notes.
        """

        def write(progress: Progress) -> Rendered:
            cached = self._results.get(result_id)
            titled = replace(options.render, title=options.render.title or cached.title)
            asked = replace(options, render=titled)
            written = self._use_cases.continue_music(cached.transcription, asked, progress)
            return self._keep(result_id, cached.transcription, written)

        bars = float(options.music.measures * (1 + options.music.alternatives))
        return self._write(self._composer, write, Kind.CONTINUATION, bars, deadline_s)

    async def describe(self, result_id: str, options: RenderOptions, deadline_s: float) -> Rendered:
        """Return what :meth:`render` would yield last, without files.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        """

        def work(progress: Progress) -> Rendered:
            cached = self._results.get(result_id)
            written = self._use_cases.describe(cached.transcription, options)
            return self._keep(result_id, cached.transcription, written)

        meter = ProgressMeter(self._durations.expect(Kind.FILES))
        async with self._renderer.submit(Job(work, meter, deadline_s)) as job:
            return await job.result()

    async def forget(self, result_ids: Sequence[str]) -> None:
        """Delete cached results and what belongs to them; those that are gone are no error.

        Raises
        ------
        QueueFull
            If one cannot be read at the moment.
        """

        def work() -> None:
            for result_id in result_ids:
                self._results.forget(result_id)

        await asyncio.to_thread(work)

    async def engrave(
        self, result_id: str, options: RenderOptions, screen: Screen, deadline_s: float
    ) -> Engraved:
        """Engrave a cached result for a screen.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        """

        def work(progress: Progress) -> Engraved:
            cached = self._results.get(result_id)
            titled = replace(options, title=options.title or cached.title)
            engraving = self._use_cases.engrave(cached.transcription, titled, screen, progress)
            rendered = self._keep(result_id, cached.transcription, engraving.rendering)
            return Engraved(
                rendered, engraving.sheet, self._results.list_sounds(rendered.result_id)
            )

        meter = ProgressMeter(self._durations.expect(Kind.PAGES))
        async with self._practice.submit(Job(work, meter, deadline_s)) as job:
            return await job.result()

    async def open_sound(self, result_id: str, name: str) -> OpenSound:
        """Open a sound of a cached result; whoever asks closes it.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        SoundUnavailable
            If it does not hold the sound.
        """
        return await asyncio.to_thread(self._results.open_sound, result_id, name)

    async def convert_sound(self, result_id: str, name: str, deadline_s: float) -> OpenSound:
        """Convert a sound of a cached result to FLAC; whoever asks closes it.

        Raises
        ------
        ResultExpired
            If the cache does not hold the result.
        SoundUnavailable
            If it does not hold the sound, or if what it holds is damaged.
        """

        def work(progress: Progress) -> OpenSound:
            kept = self._results.open_sound(result_id, name)
            file = TemporaryFile()  # noqa: SIM115 - closed by whoever asks
            try:
                with closing(kept.file):
                    data = kept.file.read()
                self._use_cases.convert_sound(data, file, progress)
            except (zipfile.BadZipFile, EOFError, OSError, ValueError) as error:
                file.close()
                raise SoundUnavailable("the sound can no longer be read") from error
            except BaseException:
                file.close()
                raise
            size_bytes = file.seek(0, os.SEEK_END)
            file.seek(0)
            return OpenSound(size_bytes, file)

        meter = ProgressMeter(self._durations.expect(Kind.STEMS))
        async with self._player.submit(Job(work, meter, deadline_s)) as job:
            return await job.result()

    def _keep(self, result_id: str, before: Transcription, written: Rendering) -> Rendered:
        """Return the outcome of a request; a result that was corrected is kept under a new id.

        Parameters
        ----------
        result_id : str
        before : Transcription
            The result that the request named.
        written : Rendering
            Its options hold the request's corrections.
        """
        corrected = written.options.amend(before)
        if corrected.corrections != before.corrections:
            result_id = self._results.put_corrected(result_id, corrected.corrections)
        return Rendered(
            result_id,
            self._results.trace(result_id),
            corrected,
            written.options,
            written.shown,
            written.artifacts,
            self._results.is_lasting(result_id),
        )

    async def _write(
        self, worker: Worker, write: Work[Rendered], kind: Kind, length: float, deadline_s: float
    ) -> AsyncGenerator[StageUpdate | Rendered, None]:
        """Run a job in a thread that writes files; yields its updates, then its result."""
        meter = ProgressMeter(self._durations.expect(kind, length))
        async with worker.submit(Job(write, meter, deadline_s)) as job:
            async for update in job.updates():
                if isinstance(update, StageUpdate):
                    yield update
            rendered = await job.result()
        self._durations.learn(kind, length, meter.timings_s)
        yield rendered

    async def drain(self, limit_s: float) -> None:
        """Admit no more requests; wait up to ``limit_s`` for the others, then cancel them."""
        self.transcriptions.close()
        self.renderings.close()
        queues = (self.transcriptions, self.renderings, self.deliveries)
        inside = asyncio.gather(*(queue.join() for queue in queues))
        try:
            await asyncio.wait_for(asyncio.shield(inside), limit_s)
        except TimeoutError:
            reason = ShuttingDown("the service is shutting down", retry_after_s=10.0)
            for worker in (self._device, *self._writers):
                worker.cancel_all(reason)
            _log.warning("drain_cut_short", left=sum(map(len, queues)))
            await asyncio.wait([asyncio.ensure_future(inside)], timeout=1.0)

    async def close(self) -> bool:
        """Stop the threads. Returns whether all ended; one inside a model may take long."""
        returned = await asyncio.gather(
            *(worker.close(_STOP_GRACE_S) for worker in (self._device, *self._writers))
        )
        await asyncio.to_thread(self._use_cases.close)
        return self.registry.close() and all(returned)
