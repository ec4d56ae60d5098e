"""The inference service's client: gRPC and protobuf on one side, dataclasses on the other.

Rules of the contract in ``proto/notabot/v1``, as this side keeps them:

- Every call carries ``x-request-id``, a deadline, and the bearer token where one is set.
- Errors are read from the ``google.rpc.Status`` in the trailing metadata: ``ErrorInfo`` (domain
  ``notabot``) names the code, ``RetryInfo`` the wait. A status without them did not come from the
  service's own code, but from the connection.
- UNAVAILABLE is tried once more, and only if the request cannot have begun: nothing was sent yet,
  or the service itself refused it before its first event. Rendering and looking are repeatable, so
  there it is enough that no event came.
- A keepalive ping goes out every :data:`KEEPALIVE_INTERVAL_S`; a service that vanished without
  closing its connection is noticed after at most :data:`KEEPALIVE_INTERVAL_S` +
  :data:`KEEPALIVE_TIMEOUT_S`. The service must permit pings that often.

Protobuf types do not leave this module.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from grpc_status import rpc_status
from notabot.v1 import models_pb2, models_pb2_grpc, transcription_pb2, transcription_pb2_grpc

from bot.errors import DEADLINE_EXCEEDED, INTERNAL, UNAUTHENTICATED, BotErrorCode, ServiceError

CHUNK_BYTES: Final = 64 * 1024
KEEPALIVE_INTERVAL_S: Final = 1.5
KEEPALIVE_TIMEOUT_S: Final = 3.0
RETRY_PAUSE_S: Final = 1.2  # over the longest pause between two attempts to connect
MAX_RETRY_PAUSE_S: Final = 10.0
RENDER_DEADLINE_S: Final = 120.0
LOOK_DEADLINE_S: Final = 10.0
ACTIVATE_DEADLINE_S: Final = 600.0
MAX_MESSAGE_BYTES: Final = 16 * 1024 * 1024  # a long song's Result; the default of 4 MiB is tight

_CHANNEL_OPTIONS: Final = (
    ("grpc.keepalive_time_ms", int(KEEPALIVE_INTERVAL_S * 1000)),
    ("grpc.keepalive_timeout_ms", int(KEEPALIVE_TIMEOUT_S * 1000)),
    # Without this one a ping may go unanswered for a minute, whatever the line above says.
    ("grpc.http2.ping_timeout_ms", int(KEEPALIVE_TIMEOUT_S * 1000)),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.enable_retries", 0),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 4000),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
)

_REFUSALS: Final = frozenset({"NOT_READY", "SHUTTING_DOWN"})
"""Codes that say that the service is there, but did not take the request."""

Metadata = tuple[tuple[str, str], ...]
Mode = Literal["major", "minor"]


class Preset(enum.StrEnum):
    """The kind of recording."""

    AUTO = "auto"
    VOICE = "voice"
    PIANO = "piano"
    SONG = "song"


class View(enum.StrEnum):
    """What of the music is written down."""

    FULL = "full"
    MELODY = "melody"
    LEAD_SHEET = "lead_sheet"
    PIANO = "piano"
    CHORDS = "chords"


class Paper(enum.StrEnum):
    """What the PDF is printed on."""

    A4 = "a4"
    LETTER = "letter"


class Format(enum.StrEnum):
    """A kind of file to ask for."""

    JSON = "json"
    MIDI = "midi"
    MUSICXML = "musicxml"
    PNG = "png"
    PDF = "pdf"
    ROLL = "roll"
    PREVIEW = "preview"
    STEMS = "stems"


class Stage(enum.StrEnum):
    """What the service does just now."""

    DECODE = "decode"
    TUNING = "tuning"
    ROUTING = "routing"
    SEPARATION = "separation"
    TAGGING = "tagging"
    CHORDS = "chords"
    BEATS = "beats"
    KEY = "key"
    NOTATION = "notation"
    ENGRAVING = "engraving"
    CONTINUATION = "continuation"


CHAT_FORMATS: Final = (Format.PNG, Format.PDF, Format.MIDI, Format.MUSICXML)
"""What a chat is sent at once; the roll, the preview and the stems come when asked for."""


@dataclass(frozen=True, slots=True)
class RenderOptions:
    """How a result becomes files."""

    view: View = View.FULL
    transpose_semitones: int = 0
    formats: tuple[Format, ...] = CHAT_FORMATS
    title: str = ""
    simple_chords: bool = False
    paper: Paper = Paper.A4


@dataclass(frozen=True, slots=True)
class ContinueOptions:
    """How the music goes on; ``boldness`` from -1, calmest, to 1, boldest."""

    measures: int = 8
    seed: int = 0
    boldness: float = 0.0
    render: RenderOptions = field(default_factory=RenderOptions)

    def written_as(self, formats: tuple[Format, ...]) -> ContinueOptions:
        """Return the same in other formats."""
        return replace(self, render=replace(self.render, formats=formats))


@dataclass(frozen=True, slots=True)
class Queued:
    """The request waits; ``position`` others are before it."""

    position: int


@dataclass(frozen=True, slots=True)
class Progress:
    """``fraction`` of the whole request is done, in [0, 1]; an unknown ``stage`` is None."""

    stage: Stage | None
    fraction: float


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file of the result, whole."""

    name: str
    media_type: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Key:
    """A key: a tonic such as ``"F#"`` or ``"Bb"``, and a mode."""

    tonic: str
    mode: Mode


@dataclass(frozen=True, slots=True, order=True)
class Beat:
    """A beat; ``position`` 1 is the downbeat."""

    time_s: float
    position: int


@dataclass(frozen=True, slots=True, order=True)
class ChordSegment:
    """A chord in Harte syntax, ``N`` for none."""

    start_s: float
    end_s: float
    label: str


@dataclass(frozen=True, slots=True)
class Result:
    """What was heard, and what the artefacts show of it."""

    result_id: str
    duration_s: float
    tempo_bpm: float
    time_signature: str
    key: Key
    rendered_key: Key
    beats: tuple[Beat, ...]
    chords: tuple[ChordSegment, ...]
    models: Mapping[str, str]
    preset: Preset
    view: View
    transpose_semitones: int
    simple_chords: bool = False


Event = Queued | Progress | Artifact | Result


class ModelState(enum.StrEnum):
    """Whether a model can serve."""

    UNKNOWN = "unknown"
    NOT_FETCHED = "not_fetched"
    AVAILABLE = "available"
    LOADING = "loading"
    ACTIVE = "active"


@dataclass(frozen=True, slots=True)
class Model:
    """An entry of the service's manifest."""

    task: str
    name: str
    version: str
    licence: str
    state: ModelState
    figures: Mapping[str, float]
    size_bytes: int


@dataclass(frozen=True, slots=True)
class ServiceStatus:
    """How the service is."""

    version: str
    device: str
    memory_bytes: int
    device_memory_bytes: int
    queue_length: int
    queue_limit: int
    busy: bool
    ready: bool
    uptime_s: float
    completed: int
    failed: int
    active: Mapping[str, str]
    versions: Mapping[str, str]


@dataclass(slots=True)
class _Attempt:
    """What is known of one try of a call."""

    repeatable: bool
    sent: bool = False
    answered: bool = False
    admitted: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def may_have_begun(self) -> bool:
        return self.answered or (self.sent and not self.repeatable)


@dataclass(slots=True)
class _Assembly:
    """An artefact whose chunks still arrive."""

    name: str
    media_type: str
    data: bytearray = field(default_factory=bytearray)


class ServiceClient:
    """Calls the service; one channel, kept open.

    Parameters
    ----------
    address : str
        ``HOST:PORT``.
    token, admin_token : str
        Bearer tokens for ``Transcription`` and for ``Models``; empty: none.
    tls_ca_path : Path or None
        Certificates to trust; None: no TLS.
    deadline_s : float
        For one transcription, waiting included.
    """

    def __init__(
        self,
        address: str,
        *,
        token: str = "",
        admin_token: str = "",
        tls_ca_path: Path | None = None,
        deadline_s: float = 1800.0,
    ) -> None:
        if tls_ca_path is None:
            self._channel = grpc.aio.insecure_channel(address, options=_CHANNEL_OPTIONS)
        else:
            credentials = grpc.ssl_channel_credentials(tls_ca_path.read_bytes())
            self._channel = grpc.aio.secure_channel(address, credentials, options=_CHANNEL_OPTIONS)
        self._transcription = transcription_pb2_grpc.TranscriptionStub(self._channel)  # type: ignore[no-untyped-call]
        self._models = models_pb2_grpc.ModelsStub(self._channel)  # type: ignore[no-untyped-call]
        self._token = token
        self._admin_token = admin_token
        self._deadline_s = deadline_s

    async def transcribe(
        self,
        audio: bytes,
        *,
        preset: Preset = Preset.AUTO,
        options: RenderOptions | None = None,
        request_id: str,
    ) -> AsyncGenerator[Event]:
        """Send a recording; yield events until the :class:`Result`, the last one.

        Closing the generator, or cancelling the task that runs it, cancels the call and so stops
        the work on the other side.

        Raises
        ------
        ServiceError
        """
        first = transcription_pb2.TranscribeRequest(
            options=transcription_pb2.TranscribeOptions(
                preset=transcription_pb2.Preset.Value(f"PRESET_{preset.name}"),
                render=_render_options(options or RenderOptions()),
            )
        )

        def start(attempt: _Attempt) -> Any:
            return self._transcription.Transcribe(
                _requests(first, audio, attempt),
                timeout=self._deadline_s,
                metadata=_metadata(request_id, self._token),
            )

        async with aclosing(_events(start, repeatable=False)) as events:
            async for event in events:
                yield event

    async def render(
        self, result_id: str, options: RenderOptions, *, request_id: str
    ) -> AsyncGenerator[Event]:
        """Render a result again; yield its artefacts and, last, the :class:`Result`.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it.
        """
        request = transcription_pb2.RenderRequest(
            result_id=result_id, render=_render_options(options)
        )

        def start(attempt: _Attempt) -> Any:
            attempt.sent = True
            return self._transcription.Render(
                request, timeout=RENDER_DEADLINE_S, metadata=_metadata(request_id, self._token)
            )

        async with aclosing(_events(start, repeatable=True)) as events:
            async for event in events:
                yield event

    async def continue_music(
        self, result_id: str, options: ContinueOptions, *, request_id: str
    ) -> AsyncGenerator[Event]:
        """Write how a result could go on; yield artefacts and, last, the :class:`Result`.

        Raises
        ------
        ServiceError
            ``RESULT_EXPIRED`` if the service no longer has it, ``NOTHING_TO_CONTINUE`` if it says
            too little.
        """
        request = transcription_pb2.ContinueRequest(
            result_id=result_id,
            measures=options.measures,
            seed=options.seed,
            boldness=options.boldness,
            render=_render_options(options.render),
        )

        def start(attempt: _Attempt) -> Any:
            attempt.sent = True
            return self._transcription.Continue(
                request, timeout=RENDER_DEADLINE_S, metadata=_metadata(request_id, self._token)
            )

        async with aclosing(_events(start, repeatable=True)) as events:
            async for event in events:
                yield event

    async def list_models(self, *, request_id: str) -> list[Model]:
        """Every model of the service's manifest.

        Raises
        ------
        ServiceError
        """
        response = await self._ask(
            self._models.List, models_pb2.ListRequest(), request_id, LOOK_DEADLINE_S
        )
        return [_model(model) for model in response.models]

    async def activate(self, task: str, model: str, *, request_id: str) -> tuple[Model, str]:
        """Make ``model`` serve ``task``; return it and the name of the one before.

        Raises
        ------
        ServiceError
            The old model goes on serving.
        """
        response = await self._ask(
            self._models.Activate,
            models_pb2.ActivateRequest(task=task, model=model),
            request_id,
            ACTIVATE_DEADLINE_S,
            repeatable=False,
        )
        return _model(response.model), response.previous

    async def status(self, *, request_id: str) -> ServiceStatus:
        """How the service is.

        Raises
        ------
        ServiceError
        """
        response = await self._ask(
            self._models.Status, models_pb2.StatusRequest(), request_id, LOOK_DEADLINE_S
        )
        return ServiceStatus(
            version=response.version,
            device=response.device,
            memory_bytes=response.memory_bytes,
            device_memory_bytes=response.device_memory_bytes,
            queue_length=response.queue_length,
            queue_limit=response.queue_limit,
            busy=response.busy,
            ready=response.ready,
            uptime_s=response.uptime_s,
            completed=response.completed,
            failed=response.failed,
            active=dict(response.active),
            versions=dict(response.versions),
        )

    async def _ask(
        self,
        method: Callable[..., Awaitable[Any]],
        request: object,
        request_id: str,
        deadline_s: float,
        *,
        repeatable: bool = True,
    ) -> Any:
        async def ask(attempt: _Attempt) -> Any:
            attempt.sent = True
            return await method(
                request, timeout=deadline_s, metadata=_metadata(request_id, self._admin_token)
            )

        attempt = _Attempt(repeatable)
        try:
            return await ask(attempt)
        except grpc.aio.AioRpcError as error:
            await _pause_or_raise(error, attempt)
        attempt = _Attempt(repeatable)
        try:
            return await ask(attempt)
        except grpc.aio.AioRpcError as error:
            raise _service_error(error, attempt) from None

    async def close(self) -> None:
        """Close the channel."""
        await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.close()


async def _events(start: Callable[[_Attempt], Any], *, repeatable: bool) -> AsyncGenerator[Event]:
    """The events of a call, tried once more where that is safe."""
    attempt = _Attempt(repeatable)
    try:
        async with aclosing(_read(start(attempt), attempt)) as events:
            async for event in events:
                yield event
        return
    except grpc.aio.AioRpcError as error:
        await _pause_or_raise(error, attempt)
    attempt = _Attempt(repeatable)
    try:
        async with aclosing(_read(start(attempt), attempt)) as events:
            async for event in events:
                yield event
    except grpc.aio.AioRpcError as error:
        raise _service_error(error, attempt) from None


async def _read(call: Any, attempt: _Attempt) -> AsyncGenerator[Event]:
    assembly: _Assembly | None = None
    try:
        await call.initial_metadata()
        attempt.admitted.set()
        async for message in call:
            attempt.answered = True
            match message.WhichOneof("event"):
                case "queued":
                    yield Queued(message.queued.position)
                case "progress":
                    yield _progress(message.progress)
                case "artifact":
                    chunk = message.artifact
                    if assembly is None or assembly.name != chunk.name:
                        assembly = _Assembly(chunk.name, chunk.media_type)
                    assembly.data += chunk.data
                    if chunk.last:
                        yield Artifact(assembly.name, assembly.media_type, bytes(assembly.data))
                        assembly = None
                case "result":
                    yield _result(message.result)
    finally:
        call.cancel()


async def _requests(
    first: transcription_pb2.TranscribeRequest, audio: bytes, attempt: _Attempt
) -> AsyncGenerator[transcription_pb2.TranscribeRequest]:
    """The call's messages. The audio waits until the service has admitted the request: a refusal
    that met a message under way would be lost (grpc.aio then reports INTERNAL without details)."""
    yield first
    await attempt.admitted.wait()
    attempt.sent = True
    view = memoryview(audio)
    for start in range(0, len(audio), CHUNK_BYTES):
        yield transcription_pb2.TranscribeRequest(
            audio_chunk=bytes(view[start : start + CHUNK_BYTES])
        )


async def _pause_or_raise(error: grpc.aio.AioRpcError, attempt: _Attempt) -> None:
    """Return when a second try may start; raise the ``ServiceError`` if there must be none."""
    failure = _service_error(error, attempt)
    refused = failure.code in _REFUSALS and not attempt.answered
    if error.code() is not grpc.StatusCode.UNAVAILABLE or not (
        refused or not attempt.may_have_begun
    ):
        raise failure from None
    pause_s = RETRY_PAUSE_S if failure.retry_after_s is None else failure.retry_after_s
    if pause_s > MAX_RETRY_PAUSE_S:
        raise failure from None
    await asyncio.sleep(pause_s)


def _service_error(error: grpc.aio.AioRpcError, attempt: _Attempt) -> ServiceError:
    info = _error_info(error)
    if info is not None:
        return ServiceError(info.reason, dict(info.metadata), _retry_after_s(error))
    lost = BotErrorCode.SERVICE_LOST if attempt.may_have_begun else BotErrorCode.SERVICE_UNREACHABLE
    match error.code():
        case grpc.StatusCode.UNAVAILABLE | grpc.StatusCode.CANCELLED:
            return ServiceError(lost)
        case grpc.StatusCode.DEADLINE_EXCEEDED:
            return ServiceError(DEADLINE_EXCEEDED)
        case grpc.StatusCode.UNAUTHENTICATED | grpc.StatusCode.PERMISSION_DENIED:
            return ServiceError(UNAUTHENTICATED)
        case _:
            return ServiceError(INTERNAL)


def _error_info(error: grpc.aio.AioRpcError) -> ErrorInfo | None:
    return _detail(error, ErrorInfo)


def _retry_after_s(error: grpc.aio.AioRpcError) -> float | None:
    retry = _detail(error, RetryInfo)
    if retry is None:
        return None
    delay: Duration = retry.retry_delay
    return float(delay.ToTimedelta().total_seconds())


def _detail(error: grpc.aio.AioRpcError, kind: Any) -> Any:
    """The detail of this type in the error's ``google.rpc.Status``, if there is one."""
    try:
        status = rpc_status.from_call(error)
    except ValueError:  # a Status that contradicts the call's own code is not the service's
        return None
    for packed in status.details if status is not None else ():
        detail = kind()
        if packed.Unpack(detail):
            return detail
    return None


def _metadata(request_id: str, token: str) -> Metadata:
    metadata: Metadata = (("x-request-id", request_id),)
    return (*metadata, ("authorization", f"Bearer {token}")) if token else metadata


def _render_options(options: RenderOptions) -> transcription_pb2.RenderOptions:
    return transcription_pb2.RenderOptions(
        view=transcription_pb2.View.Value(f"VIEW_{options.view.name}"),
        transpose_semitones=options.transpose_semitones,
        formats=[
            transcription_pb2.Format.Value(f"FORMAT_{wanted.name}") for wanted in options.formats
        ],
        title=options.title,
        simple_chords=options.simple_chords,
        paper=transcription_pb2.Paper.Value(f"PAPER_{options.paper.name}"),
    )


def _progress(progress: transcription_pb2.StageProgress) -> Progress:
    number = progress.stage
    names = {value: name for name, value in transcription_pb2.Stage.items()}
    name = names.get(number, "").removeprefix("STAGE_")
    return Progress(Stage[name] if name in Stage.__members__ else None, progress.overall_fraction)


def _key(key: transcription_pb2.Key) -> Key:
    return Key(key.tonic, "minor" if key.mode == transcription_pb2.MODE_MINOR else "major")


def _result(result: transcription_pb2.Result) -> Result:
    heard = _key(result.key)
    return Result(
        result_id=result.result_id,
        duration_s=result.duration_s,
        tempo_bpm=result.tempo_bpm,
        time_signature=result.time_signature,
        key=heard,
        rendered_key=_key(result.rendered_key) if result.HasField("rendered_key") else heard,
        beats=tuple(Beat(beat.time_s, beat.position) for beat in result.beats),
        chords=tuple(
            ChordSegment(chord.start_s, chord.end_s, chord.label) for chord in result.chords
        ),
        models=dict(result.models),
        preset=Preset[transcription_pb2.Preset.Name(result.preset).removeprefix("PRESET_")],
        view=View[transcription_pb2.View.Name(result.render.view).removeprefix("VIEW_")],
        transpose_semitones=result.render.transpose_semitones,
        simple_chords=result.render.simple_chords,
    )


def _model(model: models_pb2.Model) -> Model:
    name = models_pb2.ModelState.Name(model.state).removeprefix("MODEL_STATE_")
    return Model(
        task=model.task,
        name=model.name,
        version=model.version,
        licence=model.licence,
        state=ModelState[name] if name in ModelState.__members__ else ModelState.UNKNOWN,
        figures=dict(model.figures),
        size_bytes=model.size_bytes,
    )


async def collect(
    events: AsyncGenerator[Event], watch: Callable[[Queued | Progress], None]
) -> tuple[Result, list[Artifact]]:
    """Read a call to its end; return the result and its files in the order of their arrival.

    Parameters
    ----------
    events : AsyncGenerator of Event
        From :meth:`ServiceClient.transcribe` and its like; closed on the way out, which cancels
        the call if it still runs.
    watch : callable
        Told what happens in between.

    Raises
    ------
    ServiceError
    """
    artifacts: list[Artifact] = []
    result: Result | None = None
    async with aclosing(events):
        async for event in events:
            match event:
                case Queued() | Progress():
                    watch(event)
                case Artifact():
                    artifacts.append(event)
                case Result():
                    result = event
    if result is None:
        raise ServiceError(BotErrorCode.SERVICE_LOST)
    return result, artifacts
