"""Puts the service together from its parts.

No stage is named here but the router's: ``model_zoo/manifest.toml`` names a factory for every
model. The names are kept there, beside the files and figures of the same model, so that a new model
is its own module, an entry of the manifest and a card.

Importing this module is quick: a stage's module, with torch and whatever else it needs, is imported
when a model of it is loaded, in the loader's thread. The server therefore answers its first health
check long before its models are loaded.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, MutableMapping
from functools import cached_property, partial
from hashlib import sha256
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from inference_service.engine.accepted import AcceptedJobs
from inference_service.engine.cache import ResultCache
from inference_service.engine.catalog import Catalog, ModelEntry, decode_catalog
from inference_service.engine.choice import Fetch, choose, require_fetched
from inference_service.engine.job_store import JobStore
from inference_service.engine.journal import Journal
from inference_service.engine.memory import Claim
from inference_service.engine.recordings import BucketRecordings, FolderRecordings, Recordings
from inference_service.engine.registry import Loader, ModelRegistry
from inference_service.engine.results import ResultStore
from inference_service.engine.reuse import Hearings, LocalHearings, Reuse
from inference_service.engine.service import Engine, UseCases
from inference_service.engine.stage_pool import StagePool
from inference_service.errors import ModelFetchFailed, ModelRejected
from inference_service.extras import needs_extra
from inference_service.music.events import Transcription
from inference_service.music.score import Score
from inference_service.pipeline.options import (
    ContinueOptions,
    Preset,
    RenderOptions,
    RhythmSource,
    Screen,
)
from inference_service.pipeline.stages import Component, Router, StageSet, Task
from inference_service.progress import Progress, Report, Stage
from inference_service.server.app import Service
from inference_service.server.metrics import Metrics
from inference_service.server.traces import Traces, build_traces, trace_nothing
from inference_service.settings import (
    AudioSettings,
    CacheSettings,
    ModelSettings,
    PreviewSettings,
    Settings,
    SharedSettings,
)

if TYPE_CHECKING:
    from inference_service.audio.decode import AudioLimits
    from inference_service.audio.waveform import Waveform
    from inference_service.engine.shared_state import SharedState
    from inference_service.pipeline.practice import Engraving
    from inference_service.pipeline.render import Artifact, Rendering
    from inference_service.pipeline.transcribe import OnPreset

TINY: Final = "tiny"
LISTENER: Final = "notabot-notes"
"""The model by whose features recordings are told apart, whichever model transcribes them."""

FONTS_FOLDER: Final = "fonts"
START_ATTEMPTS: Final = 2
"""Failed connections in a row until a starting service gives up fetching a model."""


def build_catalog(profile: str) -> Catalog:
    """Return the catalogue of the manifest, or of the tests for the profile ``tiny``."""
    if profile == TINY:
        from inference_service.tiny import build_tiny_catalog

        return build_tiny_catalog()
    manifest = files("model_zoo") / "manifest.toml"
    return decode_catalog(manifest.read_text(encoding="utf-8"))


def build_loader(settings: ModelSettings) -> Loader:
    """Return a function that verifies a model's files and calls its factory."""

    def load(task: Task, entry: ModelEntry) -> Component:
        from model_zoo.fetch import verify

        paths = entry.paths(settings.weights)
        for path, file in zip(paths, entry.files, strict=True):
            verify(path, file.sha256)
        return _import_factory(task, entry)(entry, settings)

    return load


def _import_factory(
    task: Task, entry: ModelEntry
) -> Callable[[ModelEntry, ModelSettings], Component]:
    """Return the function that the manifest names.

    Raises
    ------
    ModelRejected
        If there is none, or a package that its module needs is missing.
    """
    module, _, name = entry.factory.partition(":")
    try:
        factory: Callable[[ModelEntry, ModelSettings], Component] = getattr(
            import_module(module), name
        )
    except (ImportError, AttributeError) as error:
        raise ModelRejected(
            f"{entry.factory}, the factory of {entry.id}, cannot be imported: {error}",
            task=task,
            model=entry.name,
        ) from error
    return factory


def build_router(settings: ModelSettings) -> Router:
    """Return the router, which recognises the kind of a recording.

    Raises
    ------
    ModelRejected
        If a file of its models is missing or not the published one.
    """
    if settings.profile == TINY:
        from inference_service.tiny import ShareRouter

        return ShareRouter()
    from inference_service.pipeline.routing import PresetRouter
    from inference_service.tagger.notes.kinds import build
    from model_zoo.fetch import verify

    entry = build_catalog(settings.profile).named(LISTENER)
    for path, file in zip(entry.paths(settings.weights), entry.files, strict=True):
        verify(path, file.sha256)
    return PresetRouter(build(entry, settings))


def build_fetch(settings: ModelSettings) -> Fetch:
    """Return the function with which a starting service fetches preferred models."""

    def fetch(entry: ModelEntry) -> None:
        from model_zoo.fetch import fetch_model

        fetch_model(entry, settings.weights, attempts=START_ATTEMPTS)

    return fetch


def build_stages(settings: ModelSettings) -> StageSet:
    """Return the stages for work in this process; each is loaded on first use.

    Nothing is fetched. If a preferred model is missing, its substitute is named on standard error
    on first use.

    Raises
    ------
    ModelUnknown
        If the settings name a model that the catalogue does not have.
    ModelNotFetched
        On first use of a stage whose weights are missing.
    """
    catalog, loader = build_catalog(settings.profile), build_loader(settings)
    candidates = catalog.candidates(settings.profile, settings.overrides)
    choice, substitutions = choose(candidates, settings.weights, _refuse)

    def load(task: Task) -> Component:
        for substitution in substitutions:
            if substitution.task is task:
                print(f"notabot: {substitution}", file=sys.stderr)
        require_fetched(task, choice[task], settings.weights)
        return loader(task, choice[task])

    stages: dict[str, Any] = {task.value: _OnDemand(partial(load, task)) for task in Task}
    router: Any = _OnDemand(partial(build_router, settings))
    models = {task.value: entry.id for task, entry in choice.items()}
    return StageSet(**stages, router=router, models=models)


def _refuse(entry: ModelEntry) -> None:
    raise ModelFetchFailed(f"`notabot models fetch {entry.name}` gets it")


class _OnDemand:
    """Proxy that builds a stage when one of its attributes is first read."""

    def __init__(self, build: Callable[[], object]) -> None:
        self._build = build

    @cached_property
    def _stage(self) -> object:
        return self._build()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stage, name)


class Pipeline:
    """The use cases; their modules are imported on first use.

    Parameters
    ----------
    audio : AudioSettings
    preview : PreviewSettings, optional
    fonts : Path, optional
        Folder for the fonts of the pages; none: a temporary one.
    keeps_recordings : bool, optional
        Whether recordings are kept with their results.
    """

    def __init__(
        self,
        audio: AudioSettings,
        preview: PreviewSettings | None = None,
        fonts: Path | None = None,
        *,
        keeps_recordings: bool = True,
    ) -> None:
        self._audio = audio
        self._keeps_recordings = keeps_recordings
        self._fonts = fonts
        self._preview = preview or PreviewSettings.model_validate({})

    def prepare(self) -> None:
        """Import the pipeline."""
        import_module("inference_service.pipeline.transcribe")
        import_module("inference_service.pipeline.practice")
        from inference_service.audio.decode import prepare

        prepare()
        self.check()

    def check(self) -> None:
        """Check the fonts, which are written again if they are gone, and the temporary folder."""
        import tempfile

        from inference_service.notation import fonts

        fonts.keep_in(self._fonts)
        fonts.font_directory()
        Path(tempfile.gettempdir()).stat()

    def close(self) -> None:
        """Remove temporary fonts."""
        if fonts := sys.modules.get("inference_service.notation.fonts"):
            fonts.remove_temporary()

    def decode(self, data: bytes, progress: Progress, claim: Claim | None = None) -> Waveform:
        """Decode a recording."""
        from inference_service.audio.decode import decode, reserve_nothing

        progress(Stage.DECODE, 0.0)
        reserve = reserve_nothing if claim is None else claim.grow
        limits = build_limits(self._audio)
        return decode(data, limits, partial(progress, Stage.DECODE), reserve)

    def keep_recording(
        self, waveform: Waveform, progress: Progress, kept: MutableMapping[str, bytes]
    ) -> None:
        """Encode the recording, if recordings are to be kept."""
        if self._keeps_recordings:
            from inference_service.pipeline.stems import keep_recording

            kept.update(keep_recording(waveform, lambda _: progress(Stage.DECODE, 1.0)))

    def transcribe(
        self,
        waveform: Waveform,
        preset: Preset,
        stages: StageSet,
        progress: Progress,
        kept: MutableMapping[str, bytes],
        on_preset: OnPreset | None = None,
    ) -> Transcription:
        """Transcribe a recording and keep its stems."""
        from inference_service.pipeline.stems import keep
        from inference_service.pipeline.transcribe import ignore_preset, transcribe

        def on_stems(stems: Mapping[str, Waveform], report: Report) -> None:
            kept.update(keep(stems, report))

        return transcribe(waveform, preset, stages, progress, on_stems, on_preset or ignore_preset)

    def read_performance(
        self, performance: Transcription, source: RhythmSource, stages: StageSet
    ) -> Transcription:
        """Add beats, key and placements to performed notes."""
        from inference_service.pipeline.notate import read_performance

        return read_performance(performance, source, stages.rhythm, stages.key)

    def render(
        self,
        transcription: Transcription,
        options: RenderOptions,
        progress: Progress,
        kept: Mapping[str, bytes],
    ) -> Rendering:
        """Write the files of a transcription."""
        from inference_service.midi.preview import Synthesizer
        from inference_service.pipeline.render import render

        synthesizer = Synthesizer(self._preview.soundfont, self._preview.max_duration_s)
        return render(transcription, options, progress, synthesizer, kept)

    def continue_music(
        self, music: Transcription, options: ContinueOptions, progress: Progress
    ) -> Rendering:
        """Write the files of a continuation."""
        from inference_service.midi.preview import Synthesizer
        from inference_service.pipeline.continuation import continue_transcription

        synthesizer = Synthesizer(self._preview.soundfont, self._preview.max_duration_s)
        return continue_transcription(music, options, progress, synthesizer)

    def describe(self, transcription: Transcription, options: RenderOptions) -> Rendering:
        """Return what is shown beside the pages of a transcription."""
        from inference_service.pipeline.render import describe

        return describe(transcription, options)

    def engrave(
        self,
        transcription: Transcription,
        options: RenderOptions,
        screen: Screen,
        progress: Progress,
    ) -> Engraving:
        """Write a transcription as a sheet for a screen."""
        from inference_service.pipeline.practice import engrave_sheet

        return engrave_sheet(transcription, options, screen, progress)

    def convert_sound(self, kept: bytes, target: IO[bytes], progress: Progress) -> None:
        """Convert a sound that was kept to FLAC."""
        from inference_service.audio.encode import convert_to_flac

        convert_to_flac(kept, target, partial(progress, Stage.ENGRAVING))

    def continue_score(
        self, score: Score, options: ContinueOptions, progress: Progress
    ) -> list[Artifact]:
        """Write the files of a continuation of written music."""
        from inference_service.midi.preview import Synthesizer
        from inference_service.pipeline.continuation import continue_score

        synthesizer = Synthesizer(self._preview.soundfont, self._preview.max_duration_s)
        return continue_score(score, options, progress, synthesizer)


def build_limits(audio: AudioSettings) -> AudioLimits:
    """Return the limits for decoding."""
    from inference_service.audio.decode import AudioLimits

    return AudioLimits(
        max_bytes=audio.max_bytes,
        max_duration_s=audio.max_duration_s,
        min_duration_s=audio.min_duration_s,
        min_rate_hz=audio.min_rate_hz,
        max_rate_hz=audio.max_rate_hz,
    )


def build_job_store(settings: Settings, state: SharedState | None) -> JobStore:
    """Return the store of accepted jobs: a folder, or the state that several services share.

    Raises
    ------
    MissingExtra
        If the extra ``shared`` is needed and not installed.
    """
    directory, max_age_s = _jobs_folder(settings), settings.journal.max_age_s
    if state is None:
        return Journal(directory, settings.journal.max_entries, max_age_s)
    from inference_service.engine.shared_journal import SharedJournal

    return SharedJournal(state, build_recordings(settings, directory), max_age_s)


def build_recordings(settings: Settings, directory: Path) -> Recordings:
    """Return where several services keep recordings: beside their results, or in a folder.

    Raises
    ------
    MissingExtra
        If the extra ``shared`` is needed and not installed.
    """
    max_age_s = settings.journal.max_age_s
    if not settings.cache.url:
        return FolderRecordings(directory, max_age_s)
    with needs_extra("shared", "NOTABOT_CACHE_URL"):
        from inference_service.engine.bucket import Bucket
    return BucketRecordings(
        Bucket(settings.cache.url), directory, settings.audio.max_bytes, max_age_s
    )


def build_hearings(state: SharedState | None) -> Hearings:
    """Return who hears which recording: known to this service alone, or to all that share state."""
    if state is None:
        return LocalHearings()
    from inference_service.engine.shared_hearings import SharedHearings

    return SharedHearings(state)


def build_shared_state(shared: SharedSettings) -> SharedState | None:
    """Return the server that services share, if there is one; who uses it closes it.

    Raises
    ------
    MissingExtra
        If the extra ``shared`` is needed and not installed.
    """
    if shared.state_url is None:
        return None
    with needs_extra("shared", "NOTABOT_SHARED_STATE_URL"):
        from inference_service.engine.shared_state import SharedState

    return SharedState(shared.state_url.get_secret_value())


def build_registry(shared: SharedSettings, *parts: Any) -> ModelRegistry:
    """Return the models in use: this service's own, or those that several choose together.

    Raises
    ------
    MissingExtra
        If the extra ``shared`` is needed and not installed.
    """
    state = build_shared_state(shared)
    if state is None:
        return ModelRegistry(*parts)
    from inference_service.engine.shared_models import SharedRegistry

    return SharedRegistry(state, *parts)


def _jobs_folder(settings: Settings) -> Path:
    """Return the folder of accepted jobs and their recordings."""
    return settings.journal.directory or settings.cache.directory / "jobs"


def build_results(settings: CacheSettings) -> ResultStore:
    """Return the store of results: the bucket that the settings name, or a folder.

    Raises
    ------
    MissingExtra
        If the extra ``shared`` is needed and not installed.
    """
    if not settings.url:
        return ResultCache(
            settings.directory, settings.max_entries, settings.max_bytes, settings.max_age_s
        )
    with needs_extra("shared", "NOTABOT_CACHE_URL"):
        from inference_service.engine.bucket import Bucket
        from inference_service.engine.object_results import ObjectResults
    return ObjectResults(Bucket(settings.url), settings.max_age_s)


def build_recipe(settings: Settings) -> str:
    """Return what identifies how a service hears, apart from its models: its code and settings.

    Services that share results hear alike if it is the same.
    """
    models = settings.models.model_dump(
        mode="json", exclude={"profile", "use", "weights", "hub_token", "device"}
    )
    values = {
        "models": models,
        "device": settings.models.device_name,
        "audio": settings.audio.model_dump(mode="json"),
        "recordings": settings.cache.recordings,
    }
    digest = sha256(json.dumps(values, sort_keys=True).encode())
    package = Path(__file__).parent
    manifest = files("model_zoo") / "manifest.toml"
    digest.update(manifest.read_bytes())
    for path in sorted(package.rglob("*.py")):
        digest.update(f"\0{path.relative_to(package)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def build_deployment_recipe(settings: Settings) -> str:
    """Return what identifies what a service deploys on a cluster, apart from its models.

    It covers every setting that goes there: also those of previews, by which nothing is heard.
    """
    values = {
        "preview": settings.preview.model_dump(mode="json"),
        "weights": str(settings.models.weights),
        "needs": settings.cluster.model_dump(mode="json", exclude={"address", "width"}),
    }
    deployed = f"{build_recipe(settings)}\0{json.dumps(values, sort_keys=True)}"
    return sha256(deployed.encode()).hexdigest()


def build_pool(settings: Settings) -> StagePool:
    """Return the stages and use cases of this process, or of the cluster that the settings name.

    Raises
    ------
    MissingExtra
        If the extra ``cluster`` is needed and not installed.
    """
    load, load_router = build_loader(settings.models), partial(build_router, settings.models)
    build_use_cases = partial(
        Pipeline, settings.audio, settings.preview, keeps_recordings=settings.cache.recordings
    )
    if settings.cluster.address:
        with needs_extra("cluster", "NOTABOT_CLUSTER_ADDRESS"):
            from inference_service.cluster.pool import spread

        recipe = build_deployment_recipe(settings)
        return spread(load, load_router, build_use_cases, settings.cluster, recipe)
    use_cases = build_use_cases(fonts=settings.cache.directory / FONTS_FOLDER)
    return StagePool(load, load_router, use_cases, settings.engine.width)


def build_service(
    settings: Settings,
    *,
    catalog: Catalog | None = None,
    loader: Loader | None = None,
    load_router: Callable[[], Router] | None = None,
    use_cases: UseCases | None = None,
    traces: Traces | None = None,
) -> Service:
    """Put the service together; call inside a running event loop.

    Tests replace parts with their own.

    Raises
    ------
    ModelUnknown
        If the settings name a model that the catalogue does not have.
    MissingExtra
        If the settings need an extra that is not installed.
    """
    metrics = Metrics()
    metrics.watch_disk({"results": settings.cache.directory, "jobs": _jobs_folder(settings)})
    pool = build_pool(settings)
    catalog = catalog or build_catalog(settings.models.profile)
    registry = build_registry(
        settings.shared,
        catalog,
        catalog.candidates(settings.models.profile, settings.models.overrides),
        build_fetch(settings.models),
        loader or pool.load,
        load_router or pool.load_router,
        settings.models.weights,
        pool.loads_at_once,
    )
    results = build_results(settings.cache)
    state = build_shared_state(settings.shared)
    reuse = None
    if settings.cache.reuse:
        recipe = build_recipe(settings)
        reuse = Reuse(results, recipe, lambda: registry.active, build_hearings(state))
    use_cases = use_cases or pool.use_cases
    if traces is None and settings.traces.url:
        traces = build_traces(settings.traces.url)
    engine = Engine(
        registry,
        results,
        use_cases if traces is None else traces.follow(use_cases),
        queue_size=settings.engine.queue_size,
        render_queue_size=settings.engine.render_queue_size,
        caller_share=settings.engine.caller_share,
        yield_s=settings.engine.yield_s,
        stuck_s=settings.engine.stuck_s,
        observe_stage=metrics.observe_stage,
        count_reused=metrics.count_reused,
        reuse=reuse,
        width=pool.width,
    )
    return Service(
        engine,
        AcceptedJobs(engine, build_job_store(settings, state), settings.engine.deadline_s),
        metrics,
        settings.server,
        settings.engine,
        settings.audio,
        device=settings.models.device_name,
        device_memory_bytes=device_memory_bytes,
        trace=trace_nothing if traces is None else traces.call,
    )


def device_memory_bytes() -> int:
    """Bytes allocated by torch on its CUDA device; 0 if torch or CUDA is not in use."""
    torch = sys.modules.get("torch")
    if torch is None or not hasattr(torch, "cuda") or not torch.cuda.is_initialized():
        return 0
    return int(torch.cuda.memory_allocated())
