"""The gRPC server: assembled, started, drained."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

import grpc
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from notabot.v1 import (
    jobs_pb2_grpc,
    models_pb2_grpc,
    practice_pb2_grpc,
    transcription_pb2_grpc,
)
from pydantic import SecretStr

from inference_service.engine.accepted import AcceptedJobs
from inference_service.engine.service import Engine
from inference_service.server.health import JOBS, MODELS, PRACTICE, TRANSCRIPTION, Health
from inference_service.server.interceptors import CallInterceptor
from inference_service.server.jobs_servicer import JobsServicer
from inference_service.server.metrics import Metrics
from inference_service.server.models_servicer import ModelsServicer
from inference_service.server.practice_servicer import PracticeServicer
from inference_service.server.scrape import ScrapeServer
from inference_service.server.sending import Sender
from inference_service.server.servicer import TranscriptionServicer
from inference_service.server.traces import TraceCall, trace_nothing
from inference_service.server.uploads import Pace
from inference_service.settings import AudioSettings, EngineSettings, ServerSettings

MAX_MESSAGE_BYTES: Final = 16 * 2**20
_STOP_GRACE_S: Final = 1.0
_PACKAGES: Final = (
    "torch", "onnxruntime", "demucs", "librosa", "music21", "verovio", "av", "grpcio",
)  # fmt: skip

_OPTIONS: Final = (
    ("grpc.so_reuseport", 0),  # a second service on the same port must fail, not share it
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A caller whose machine is gone is noticed within 15 s; callers may ping us once a second.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
)

_log = structlog.get_logger()


class Service:
    """The gRPC server with the engine behind it.

    Call :meth:`start` (listens; only Models is healthy), then :meth:`load` (models; all healthy),
    then :meth:`stop` (drains). Must be created inside a running event loop.
    """

    def __init__(
        self,
        engine: Engine,
        jobs: AcceptedJobs,
        metrics: Metrics,
        server_settings: ServerSettings,
        engine_settings: EngineSettings,
        audio_settings: AudioSettings,
        *,
        device: str,
        device_memory_bytes: Callable[[], int],
        trace: TraceCall = trace_nothing,
    ) -> None:
        self.engine = engine
        self.jobs = jobs
        self.port = 0
        self._settings = server_settings
        self._drain_s = engine_settings.drain_s
        self._scrapes = ScrapeServer(metrics.registry)
        self._health = Health(self._find_problem)
        self._server = grpc.aio.server(
            interceptors=[CallInterceptor(_tokens(server_settings), metrics, trace)],
            options=_OPTIONS,
        )
        sender = Sender(engine.deliveries, server_settings.read_stall_s)
        transcription = TranscriptionServicer(
            engine,
            jobs,
            sender,
            max_bytes=audio_settings.max_bytes,
            build_pace=lambda: Pace(
                server_settings.upload_stall_s,
                server_settings.upload_min_rate,
                server_settings.upload_timeout_s,
            ),
            deadline_s=engine_settings.deadline_s,
            render_deadline_s=engine_settings.render_deadline_s,
        )
        models = ModelsServicer(
            engine,
            device=device,
            device_memory_bytes=device_memory_bytes,
            versions=_versions(),
        )
        self._add(transcription_pb2_grpc.add_TranscriptionServicer_to_server, transcription)
        practice = PracticeServicer(engine, sender, engine_settings.render_deadline_s)
        self._add(practice_pb2_grpc.add_PracticeServicer_to_server, practice)
        self._add(jobs_pb2_grpc.add_JobsServicer_to_server, JobsServicer(jobs, sender))
        self._add(models_pb2_grpc.add_ModelsServicer_to_server, models)
        self._add(health_pb2_grpc.add_HealthServicer_to_server, self._health.servicer)
        reflection.enable_server_reflection(
            (TRANSCRIPTION, PRACTICE, JOBS, MODELS, health.SERVICE_NAME, reflection.SERVICE_NAME),
            self._server,
        )
        metrics.watch_queue(lambda: engine.queue_length, lambda: engine.busy)
        metrics.watch_models(lambda: engine.registry.active)

    async def start(self) -> None:
        """Listen, and report that models are loading.

        Raises
        ------
        OSError
            If an address cannot be listened on, or the certificate cannot be read.
        """
        await self._health.begin()
        self.port = self._bind()
        if self._settings.metrics_listen != "off":
            await self._serve_metrics(self._settings.metrics_listen)
        await self.jobs.resume()
        await self._server.start()
        _log.info("listening", address=self._settings.listen, port=self.port)

    async def load(self) -> None:
        """Load the models, and report that the service is ready.

        Raises
        ------
        ModelError
            If a model does not load, or fails on the built-in signal.
        """
        await self.engine.load()
        await self._health.serve()

    async def stop(self, drain_s: float | None = None) -> bool:
        """Refuse new requests, let admitted ones finish within the drain time, and stop.

        Parameters
        ----------
        drain_s : float, optional
            Replaces the settings' drain time.

        Returns
        -------
        bool
            Whether every thread returned; one that did not is still inside a model.
        """
        _log.info("draining", requests=len(self.engine.transcriptions))
        await self._health.drain()
        await self.engine.drain(self._drain_s if drain_s is None else drain_s)
        await self.jobs.stop()
        await self._server.stop(_STOP_GRACE_S)
        self._scrapes.stop()
        returned = await self.engine.close()
        _log.info("stopped", threads_returned=returned)
        return returned

    async def _find_problem(self) -> str:
        return await self.engine.find_problem() or await self.jobs.find_problem()

    async def _serve_metrics(self, address: str) -> None:
        host, port = split_address(address)
        try:
            await self._scrapes.start(host, port)
        except OSError as error:
            raise OSError(f"cannot listen on {address} for metrics") from error

    def _add(self, register: Callable[[Any, Any], None], servicer: object) -> None:
        register(servicer, self._server)

    def _bind(self) -> int:
        settings = self._settings
        try:
            if settings.tls_cert is None or settings.tls_key is None:
                port = self._server.add_insecure_port(settings.listen)
            else:
                pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
                callers = settings.tls_client_ca
                credentials = grpc.ssl_server_credentials(
                    [pair],
                    root_certificates=None if callers is None else callers.read_bytes(),
                    require_client_auth=callers is not None,
                )
                port = self._server.add_secure_port(settings.listen, credentials)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {settings.listen}") from error
        if port == 0:
            raise OSError(f"cannot listen on {settings.listen}")
        return int(port)


def split_address(address: str) -> tuple[str, int]:
    """Split ``host:port``; the host may be an IPv6 address in brackets.

    Raises
    ------
    ValueError
        If the port is not a number.
    """
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _tokens(settings: ServerSettings) -> Mapping[str, SecretStr]:
    tokens: dict[str, SecretStr] = {}
    if settings.token is not None:
        tokens[TRANSCRIPTION] = tokens[PRACTICE] = tokens[JOBS] = settings.token
    if settings.admin_token is not None:
        tokens[MODELS] = settings.admin_token
    elif settings.token is not None or not settings.is_local:
        # Without a token of its own, administration is closed, not open to everyone who can
        # transcribe.
        tokens[MODELS] = SecretStr(secrets.token_urlsafe())
    return tokens


def _versions() -> dict[str, str]:
    versions: dict[str, Any] = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return versions
