"""What an operator can set, in narrow groups; ``docs/settings.md`` lists every one.

Values come from the environment, then from ``.env`` in the working directory. Variables are named
``NOTABOT_GROUP_FIELD``, such as ``NOTABOT_SERVER_LISTEN``. Each part of the service is given its
own group, never all settings.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

MAX_PORT: Final = 65_535
MIN_TOKEN_CHARS: Final = 8
"""A shorter token is a mistake, such as a placeholder."""

BATCH: Final = 4
"""Windows in a batch on an accelerator. Not measured: as many recordings as the plan of fleets
assumes to be heard together."""

_STATE_SCHEMES: Final = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")


class _Group(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )


class ServerSettings(_Group):
    """Addresses, tokens and certificates of the server."""

    listen: str = Field(
        "127.0.0.1:50051",
        pattern=r"^\S+:\d+$",
        description="Address and port of the gRPC server.",
    )
    token: SecretStr | None = Field(
        None, description="Bearer token that Transcription requires; none: open to everyone."
    )
    admin_token: SecretStr | None = Field(
        None,
        description="Bearer token that Models requires, different from `TOKEN`; none: Models is "
        "closed, unless there is no token at all and the server listens on this machine only.",
    )
    tls_cert: Path | None = Field(
        None,
        description="PEM file of the certificate chain; together with the key, it turns TLS on.",
    )
    tls_key: Path | None = Field(None, description="PEM file of the certificate's private key.")
    tls_client_ca: Path | None = Field(
        None,
        description="PEM file of the authorities whose certificates callers must show; none: "
        "callers need no certificate.",
    )
    public_without_token: bool = Field(
        False,
        description="Start without `TOKEN` on an address beyond this machine; everyone who reaches "
        "the port may transcribe.",
    )
    metrics_listen: str = Field(
        "127.0.0.1:9464",
        pattern=r"^(\S+:\d+|off)$",
        description="Address and port of the Prometheus metrics; `off`: no metrics.",
    )
    upload_timeout_s: float = Field(
        120.0, gt=0, description="Longest time for the upload of a request's audio."
    )
    upload_stall_s: float = Field(
        10.0,
        gt=0,
        description="Longest time without audio during an upload; the first byte counts too.",
    )
    upload_min_rate: int = Field(
        4096,
        ge=1,
        description="Bytes of audio that must arrive per second; what is missing for "
        "`UPLOAD_STALL_S` ends the upload.",
    )
    read_stall_s: float = Field(
        60.0,
        gt=0,
        description="Longest time that a caller may leave a part of its answer unread.",
    )

    @field_validator("listen", "metrics_listen")
    @classmethod
    def _require_port(cls, value: str) -> str:
        port = value.rpartition(":")[2]
        if value != "off" and int(port) > MAX_PORT:
            raise ValueError(f"ports end at {MAX_PORT}")
        return value

    @field_validator("token", "admin_token")
    @classmethod
    def _require_length(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            rf"[!-~]{{{MIN_TOKEN_CHARS},}}", value.get_secret_value()
        ):
            raise ValueError(
                f"a token has at least {MIN_TOKEN_CHARS} characters, in ASCII and without spaces"
            )
        return value

    @model_validator(mode="after")
    def _public_only_with_token(self) -> Self:
        if self.token is None and not self.is_local and not self.public_without_token:
            raise ValueError(
                f"{self.listen} is beyond this machine: set NOTABOT_SERVER_TOKEN, or "
                "NOTABOT_SERVER_PUBLIC_WITHOUT_TOKEN=true if everyone may use the service"
            )
        return self

    @model_validator(mode="after")
    def _both_halves_of_tls(self) -> Self:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise ValueError("tls_cert and tls_key go together")
        if self.tls_client_ca is not None and self.tls_cert is None:
            raise ValueError("tls_client_ca needs tls_cert and tls_key")
        return self

    @model_validator(mode="after")
    def _tokens_differ(self) -> Self:
        if self.admin_token is not None and self.admin_token == self.token:
            raise ValueError("admin_token and token must differ")
        return self

    @property
    def is_local(self) -> bool:
        """Whether only this machine can connect."""
        host = self.listen.rpartition(":")[0].strip("[]")
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


class EngineSettings(_Group):
    """Limits on the requests held at once, and on their time."""

    width: int = Field(
        1,
        ge=1,
        description="Transcriptions that run at once in the service's own process; more than one "
        "only with a GPU.",
    )
    queue_size: int = Field(
        16, ge=1, description="Transcriptions held at once: uploading, waiting and running."
    )
    render_queue_size: int = Field(
        32, ge=1, description="Renderings of cached results held at once."
    )
    caller_share: float = Field(
        0.75,
        gt=0,
        le=1,
        description="Part of either queue that requests from one network address may hold, "
        "rounded up; 1: all, as where a bot is the only caller.",
    )
    yield_s: float = Field(
        2.0,
        gt=0,
        description="If a queue is full, an upload that is this late, or an answer that is not "
        "read for this long, gives its place to the next request.",
    )
    deadline_s: float = Field(
        1800.0, gt=0, description="Longest time for a request, from admission to its last byte."
    )
    render_deadline_s: float = Field(
        120.0, gt=0, description="Longest time for a rendering or a continuation."
    )
    stuck_s: float = Field(
        120.0,
        gt=0,
        description="A thread that works this long on a request that was cancelled or ran out of "
        "time makes the health check fail.",
    )
    drain_s: float = Field(
        60.0, ge=0, description="After SIGTERM, the time that admitted requests have to finish."
    )


class AudioSettings(_Group):
    """Limits on untrusted audio, checked while receiving and decoding."""

    max_bytes: int = Field(192 * 2**20, gt=0, description="Largest audio file.")
    max_duration_s: float = Field(900.0, gt=0, description="Longest decoded audio.")
    min_duration_s: float = Field(0.1, gt=0, description="Shortest decoded audio.")
    min_rate_hz: int = Field(8_000, gt=0, description="Lowest sample rate.")
    max_rate_hz: int = Field(192_000, gt=0, description="Highest sample rate.")


class CacheSettings(_Group):
    """The cache of results, which can be rendered again."""

    directory: Path = Field(
        Path("~/.cache/notabot/results"),
        description="Folder of the results, which survive restarts, and of the pages' fonts.",
    )
    url: str = Field(
        "",
        pattern=r"^(s3://[^/@\s]+(/\S*)?)?$",
        description="`s3://BUCKET/PREFIX`: results are kept there, for several services, instead "
        "of in the folder; none: the folder.",
    )
    max_entries: int = Field(
        2_000, ge=1, description="Maximum number of results kept in the folder."
    )
    max_bytes: int = Field(
        1_000_000_000,
        ge=1,
        description="Maximum size of the folder, including the recordings and the stems of songs.",
    )
    recordings: bool = Field(
        True,
        description="Keep recordings with their results, so that a score can be practised with "
        "them. Where room is short, recordings and stems are deleted before results.",
    )
    reuse: bool = Field(
        True,
        description="Hear a recording once: who sends one that was heard before, by the same "
        "models, gets a result of their own at once.",
    )
    max_age_s: float = Field(
        7 * 86_400.0,
        gt=0,
        description="A result that is not used for this long, while the service runs, is deleted.",
    )

    @field_validator("directory")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()


class JournalSettings(_Group):
    """Accepted jobs, until their results are delivered."""

    directory: Path | None = Field(
        None, description="Folder of the accepted jobs; none: `jobs` in the cache's folder."
    )
    max_entries: int = Field(
        5_000, ge=1, description="Maximum number of jobs kept, delivered ones included."
    )
    max_age_s: float = Field(
        86_400.0,
        gt=0,
        description="An undelivered result is forgotten after this time, and so is a job's key.",
    )

    @field_validator("directory")
    @classmethod
    def _expand(cls, value: Path | None) -> Path | None:
        return None if value is None else value.expanduser()


class SharedSettings(_Group):
    """What several services share that stand behind one address."""

    state_url: SecretStr | None = Field(
        None,
        description="Address of a Valkey or Redis, such as `valkey://host:6379/0`, where services "
        "keep accepted jobs and the choice of models together; none: each keeps its own. Needs the "
        "extra `shared`.",
    )

    @field_validator("state_url")
    @classmethod
    def _require_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(_STATE_SCHEMES):
            raise ValueError(f"an address begins with one of {', '.join(_STATE_SCHEMES)}")
        return value


class ModelSettings(_Group):
    """Which models serve, and where."""

    profile: Literal["tiny", "cpu", "gpu"] = Field(
        "cpu", description="Set of default models in the manifest; `tiny` is for tests."
    )
    device: str = Field("", description="torch device; none: cpu, or cuda in the gpu profile.")
    use: str = Field(
        "",
        description="Models instead of the profile's, such as "
        "`song=basic-pitch,piano=basic-pitch`.",
    )
    weights: Path = Field(
        Path("~/.cache/notabot/weights"), description="Folder of the downloaded weights."
    )
    batch: int = Field(
        0,
        ge=0,
        description="Windows of recordings that a network processes at once; 0: 4 on an "
        "accelerator, 1 on a CPU.",
    )
    hub_token: SecretStr | None = Field(
        None,
        description="Access token of the Hugging Face hub, for `notabot models fetch` of models "
        "that are published to those who ask.",
    )

    demucs_shifts: int = Field(
        0,
        ge=0,
        le=20,
        description="Demucs: number of time shifts averaged; each costs one more pass.",
    )
    demucs_overlap: float = Field(
        0.25,
        ge=0,
        le=0.9,
        description="Demucs: overlap of neighbouring segments, as a fraction of one.",
    )
    demucs_segment_s: float = Field(
        0.0,
        ge=0,
        description="Demucs: length of a segment; 0: the length the network was trained on.",
    )
    demucs_precision: Literal["float32", "float16", "bfloat16"] = Field(
        "float32", description="Demucs: precision on an accelerator; a CPU always uses float32."
    )
    demucs_stems: Literal["all", "two"] = Field(
        "all", description="Demucs: all stems, or vocals and the rest, which needs less memory."
    )

    @field_validator("weights")
    @classmethod
    def _expand(cls, value: Path) -> Path:
        return value.expanduser()

    @field_validator("use")
    @classmethod
    def _pairs(cls, value: str) -> str:
        _parse_pairs(value)
        return value

    @property
    def device_name(self) -> str:
        """Name of the torch device."""
        return self.device or ("cuda" if self.profile == "gpu" else "cpu")

    @property
    def batch_size(self) -> int:
        """Largest number of windows in a batch."""
        return self.batch or (1 if self.device_name == "cpu" else BATCH)

    @property
    def overrides(self) -> dict[str, str]:
        """Name of the model for each task in ``use``."""
        return _parse_pairs(self.use)


def _parse_pairs(text: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        task, equals, model = (piece.strip() for piece in item.partition("="))
        if not (task and equals and model):
            raise ValueError(f"not TASK=MODEL: {item!r}")
        pairs[task] = model
    return pairs


class ClusterSettings(_Group):
    """Stages on a Ray cluster, instead of in the service's own process."""

    address: str = Field(
        "",
        pattern=r"^(auto|\S+:\d+)?$",
        description="Address of the cluster, `HOST:PORT`, or `auto` for that of this machine; "
        "none: the stages run in the service's process.",
    )
    width: int = Field(
        8, ge=1, description="Transcriptions that one gateway has under way on the cluster."
    )
    max_replicas: int = Field(
        8, ge=1, description="Most replicas of a stage; their number follows the demand."
    )
    cpus: float = Field(1.0, gt=0, description="CPU cores reserved for a replica.")
    gpu_share: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Share of a GPU reserved for a replica of a stage that uses networks.",
    )
    gpu_calls: int = Field(
        1,
        ge=1,
        description="Recordings that such a replica works on at once, in common batches.",
    )


class PreviewSettings(_Group):
    """How previews of a score are synthesised."""

    soundfont: Path | None = Field(
        None, description="SF2 or SF3 file for previews; none: the system's."
    )
    max_duration_s: float = Field(
        300.0, gt=0, description="Longest preview; a longer one is faded out."
    )


class TracesSettings(_Group):
    """Where traces of requests go."""

    url: str = Field(
        "",
        pattern=r"^(https?://[^/@\s]+(/\S*)?)?$",
        description="Where an OpenTelemetry collector takes traces by OTLP over HTTP, such as "
        "`http://collector:4318/v1/traces`; none: no traces. Needs the extra `traces`.",
    )


class Settings(BaseSettings):
    """All settings, by group."""

    model_config = SettingsConfigDict(
        env_prefix="NOTABOT_",
        env_nested_delimiter="_",
        env_nested_max_split=1,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    server: Annotated[ServerSettings, Field(default_factory=ServerSettings)]
    engine: Annotated[EngineSettings, Field(default_factory=EngineSettings)]
    audio: Annotated[AudioSettings, Field(default_factory=AudioSettings)]
    cache: Annotated[CacheSettings, Field(default_factory=CacheSettings)]
    journal: Annotated[JournalSettings, Field(default_factory=JournalSettings)]
    shared: Annotated[SharedSettings, Field(default_factory=SharedSettings)]
    models: Annotated[ModelSettings, Field(default_factory=ModelSettings)]
    preview: Annotated[PreviewSettings, Field(default_factory=PreviewSettings)]
    traces: Annotated[TracesSettings, Field(default_factory=TracesSettings)]
    cluster: Annotated[ClusterSettings, Field(default_factory=ClusterSettings)]
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Lowest level of messages that are logged."
    )
