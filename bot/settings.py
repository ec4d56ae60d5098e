"""Settings: environment variables that begin with ``BOT_``, also read from ``.env``.

``docs/settings.md`` lists every one. Without ``BOT_TOKEN`` the bot talks to its embedded stand-in
for Telegram, a chat page in the browser.
"""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Final, Self

from pydantic import Field, HttpUrl, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from bot.client.types import Paper

CLOUD_DOWNLOAD_LIMIT_BYTES = 20_000_000
"""The Bot API's limit for downloads from Telegram's servers; a local server has none."""

MAX_PORT: Final = 65_535
MIN_TOKEN_CHARS: Final = 8
"""A shorter token or secret is a mistake, such as a placeholder."""

STATE_SCHEMES: Final = ("valkey://", "valkeys://", "redis://", "rediss://", "unix://")


class BotSettings(BaseSettings):
    """The bot's settings, validated at start.

    Raises
    ------
    pydantic.ValidationError
        If a value is outside its range, a webhook is set without its secret, or the chat page would
        be open to other machines without being meant to.
    """

    model_config = SettingsConfigDict(
        env_prefix="BOT_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )

    token: SecretStr | None = Field(
        default=None, description="Token from BotFather; none: the chat page in the browser."
    )
    admin_ids: Annotated[frozenset[int], NoDecode] = Field(
        default=frozenset(), description="Telegram ids of the administrators, as in `12, 34`."
    )
    service_address: str = Field(
        default="127.0.0.1:50051", description="Address and port of the inference service."
    )
    service_token: SecretStr | None = Field(
        default=None, description="Bearer token for the service, if it demands one."
    )
    admin_service_token: SecretStr | None = Field(
        default=None, description="Bearer token for the service's Models; none: none is shown."
    )
    service_tls_ca: Path | None = Field(
        default=None, description="PEM file of the certificates to trust; none: no TLS."
    )
    service_tls_cert: Path | None = Field(
        default=None,
        description="PEM file of the bot's own certificate chain, if the service demands one.",
    )
    service_tls_key: Path | None = Field(
        default=None, description="PEM file of that certificate's private key."
    )
    api_server: HttpUrl | None = Field(
        default=None, description="A Bot API server of your own, instead of Telegram's."
    )
    api_is_local: bool = Field(
        default=False,
        description="That server runs with `--local`: files of any size, read from its disk.",
    )
    webhook_url: HttpUrl | None = Field(
        default=None, description="Public address for Telegram to call; none: polling."
    )
    webhook_secret: SecretStr | None = Field(
        default=None,
        description="Secret that Telegram must send with each call; the webhook needs one.",
    )
    webhook_listen: str = Field(
        default="0.0.0.0:8080", description="Address and port that the webhook listens on."
    )
    max_audio_bytes: int = Field(
        default=200_000_000,
        gt=0,
        description="Largest file; without a local server also 20 MB at most.",
    )
    max_duration_s: float = Field(default=900.0, gt=0, description="Longest recording.")
    deadline_s: float = Field(default=1800.0, gt=0, description="Longest time for a request.")
    per_user_jobs: int = Field(
        default=2,
        ge=1,
        description="Recordings of one person that are worked on at once, and buttons likewise.",
    )
    per_user_waiting: int = Field(
        default=8, ge=0, description="Further recordings of one person that may wait their turn."
    )
    max_uploads: int = Field(
        default=16,
        ge=1,
        description="Recordings that pass from Telegram to the service at once; others wait.",
    )
    max_deliveries: int = Field(
        default=16, ge=1, description="Results held in memory at once, until they are delivered."
    )
    chat_interval_s: float = Field(
        default=1.1, ge=0, description="Least time between two messages or edits in a private chat."
    )
    group_interval_s: float = Field(
        default=3.1, ge=0, description="The same in a group, where Telegram allows 20 a minute."
    )
    telegram_patience_s: float = Field(
        default=120.0,
        ge=0,
        description="How long a message is sent again while Telegram does not answer or fails.",
    )
    service_patience_s: float = Field(
        default=60.0,
        ge=0,
        description="How long a new recording waits for a service that is away or starting.",
    )
    paper: Paper = Field(
        default=Paper.A4, description="What PDFs are laid out for: `a4` or `letter`."
    )
    drain_s: float = Field(
        default=20.0,
        ge=0,
        description="After SIGTERM, the time that running requests have to finish.",
    )
    public_url: HttpUrl | None = Field(
        default=None,
        description="Address with HTTPS under which `/practice` is reached from outside; none: no "
        "practice page in Telegram.",
    )
    practice_listen: str = Field(
        default="127.0.0.1:8081",
        description="Address and port of the practice page, where neither the webhook nor the chat "
        "page has one that it shares.",
    )
    link_max_age_s: float = Field(
        default=2_592_000.0,
        gt=0,
        le=315_360_000.0,
        description="How long a link to the practice page works.",
    )
    proxies: int = Field(
        default=0,
        ge=0,
        description="How many proxies stand in front of the practice page, each of which appends "
        "the caller's address to `X-Forwarded-For`.",
    )
    localchat_listen: str = Field(
        default="127.0.0.1:8080",
        description="Address and port of the chat page; port 0 takes a free one.",
    )
    localchat_public: bool = Field(
        default=False,
        description="Serve the chat page beyond this machine, where everyone who reaches it may "
        "act as an administrator.",
    )
    state_path: Path = Field(
        default=Path("var/bot.sqlite3"),
        description="File that remembers who chose which language, each chat's latest page, "
        "which recordings scores came from, and the edits and links of the practice page.",
    )
    shared_state_url: SecretStr | None = Field(
        default=None,
        description="Address of a Valkey or Redis, such as `valkey://host:6379/0`, for several "
        "bots of one token behind a webhook, in place of `STATE_PATH`; none: there is one bot. "
        "Needs `WEBHOOK_URL` and the extra `shared`.",
    )
    traces_url: HttpUrl | None = Field(
        default=None,
        description="Where an OpenTelemetry collector takes traces by OTLP over HTTP, such as "
        "`http://collector:4318/v1/traces`; none: no traces. Needs the extra `traces`.",
    )
    log_level: str = Field(default="INFO", description="Least important messages that are logged.")

    @field_validator("admin_ids", mode="before")
    @classmethod
    def _split_ids(cls, value: object) -> object:
        """Accept ``12, 34`` and ``[12, 34]``."""
        return re.findall(r"[^\s,\[\]]+", value) if isinstance(value, str) else value

    @field_validator("webhook_listen", "localchat_listen", "practice_listen")
    @classmethod
    def _require_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if not host or not port.isdecimal() or int(port) > MAX_PORT:
            raise ValueError(f"write HOST:PORT, with a port up to {MAX_PORT}")
        return value

    @field_validator("service_address")
    @classmethod
    def _require_possible_port(cls, value: str) -> str:
        """Refuse ports that do not exist; other targets of gRPC's, such as sockets, are allowed."""
        port = value.rpartition(":")[2]
        if port.isdecimal() and int(port) > MAX_PORT:
            raise ValueError(f"ports end at {MAX_PORT}")
        return value

    @field_validator("shared_state_url")
    @classmethod
    def _require_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not value.get_secret_value().startswith(STATE_SCHEMES):
            raise ValueError(f"an address begins with one of {', '.join(STATE_SCHEMES)}")
        return value

    @field_validator("service_token", "admin_service_token")
    @classmethod
    def _require_length(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(
            rf"[!-~]{{{MIN_TOKEN_CHARS},}}", value.get_secret_value()
        ):
            raise ValueError(
                f"a token has at least {MIN_TOKEN_CHARS} characters, in ASCII and without spaces"
            )
        return value

    @field_validator("log_level")
    @classmethod
    def _require_level(cls, value: str) -> str:
        level = value.upper()
        if level not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
            raise ValueError("one of DEBUG, INFO, WARNING, ERROR")
        return level

    @model_validator(mode="after")
    def _require_whole_tls(self) -> Self:
        if (self.service_tls_cert is None) != (self.service_tls_key is None):
            raise ValueError("BOT_SERVICE_TLS_CERT and BOT_SERVICE_TLS_KEY go together")
        if self.service_tls_cert is not None and self.service_tls_ca is None:
            raise ValueError("BOT_SERVICE_TLS_CERT needs BOT_SERVICE_TLS_CA")
        return self

    @model_validator(mode="after")
    def _require_webhook_secret(self) -> Self:
        """Refuse a webhook without a secret: it would accept updates from anyone."""
        if self.webhook_url is not None:
            secret = self.webhook_secret.get_secret_value() if self.webhook_secret else ""
            if not re.fullmatch(rf"[A-Za-z0-9_-]{{{MIN_TOKEN_CHARS},256}}", secret):
                raise ValueError(
                    "BOT_WEBHOOK_URL needs BOT_WEBHOOK_SECRET: "
                    f"{MIN_TOKEN_CHARS} to 256 letters, digits, _ or -"
                )
            if self.token is None:
                raise ValueError("BOT_WEBHOOK_URL needs BOT_TOKEN")
        return self

    @model_validator(mode="after")
    def _share_behind_webhook(self) -> Self:
        """Refuse to share without a webhook: of bots that poll, Telegram serves one."""
        if self.shared_state_url is not None and self.webhook_url is None:
            raise ValueError("BOT_SHARED_STATE_URL needs BOT_WEBHOOK_URL")
        return self

    @model_validator(mode="after")
    def _require_public_https(self) -> Self:
        """Refuse an address that Telegram does not take for a Mini App."""
        if self.token is not None and self.public_url and self.public_url.scheme != "https":
            raise ValueError("BOT_PUBLIC_URL needs HTTPS: Telegram opens nothing else")
        return self

    @model_validator(mode="after")
    def _keep_chat_page_on_this_machine(self) -> Self:
        """Refuse to serve the chat page, which has no password, to other machines by mistake."""
        host = split_address(self.localchat_listen)[0]
        if self.token is None and not self.localchat_public and not _is_loopback(host):
            raise ValueError(
                f"{self.localchat_listen} is beyond this machine, and the chat page has no "
                "password: set BOT_TOKEN, or BOT_LOCALCHAT_PUBLIC=true if everyone may use the page"
            )
        return self

    @property
    def download_limit_bytes(self) -> int:
        """The largest file that can be downloaded and is accepted."""
        if self.api_is_local:
            return self.max_audio_bytes
        return min(self.max_audio_bytes, CLOUD_DOWNLOAD_LIMIT_BYTES)


def split_address(address: str) -> tuple[str, int]:
    """Split ``"127.0.0.1:8080"`` into host and port; remove brackets around an IPv6 host."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
