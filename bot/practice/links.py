"""Signed links to the practice page.

A link's token says which result is shown how, to whom, in which chat, and until when. It is signed
with HMAC-SHA256, so nothing about links is stored; it is not encrypted, and whoever holds the link
may read it. The token stands in the fragment of the address, which browsers send to no server, and
from there goes into a header. It therefore enters neither logs nor ``Referer``.

Layout, big-endian: version, flags, time of issue and of expiry in milliseconds, person, chat, topic
of the chat, language, length of the state, state, title, the first 16 bytes of the signature; all
in URL-safe Base64 without padding. The state is the data of the button that shows the page.
"""

from __future__ import annotations

import base64
import hmac
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.buttons import RenderButton
from bot.i18n import LANGUAGES

MAX_TITLE_BYTES: Final = 120
MAX_TOKEN_CHARS: Final = 512
SECRET_BYTES: Final = 32

_VERSION: Final = 1
_IN_TELEGRAM: Final = 1
_HEADER: Final = struct.Struct(">BBQQqqi2sB")
_SIGNATURE_BYTES: Final = 16
_PURPOSE: Final = b"notabot practice link 1\n"


class LinkError(Exception):
    """A token is not one of ours, or its time is over."""


@dataclass(frozen=True, slots=True)
class Link:
    """What a token says.

    Parameters
    ----------
    shown : RenderButton
        The result, and how the chat shows it.
    title : str
        Of the music, cut to :data:`MAX_TITLE_BYTES`.
    person_id : int
        Who asked for the result.
    chat_id : int
        Where it was sent.
    thread_id : int or None
        The topic of the chat.
    language : str
        The person's language.
    in_telegram : bool
        Whether the link is of use only together with Telegram's word for who opens it.
    issued_ms, expires_ms : int
        Since the epoch.
    """

    shown: RenderButton
    title: str
    person_id: int
    chat_id: int
    thread_id: int | None
    language: str
    in_telegram: bool
    issued_ms: int
    expires_ms: int

    @property
    def is_private(self) -> bool:
        """Whether the chat is the person's own."""
        return self.chat_id == self.person_id

    @property
    def key(self) -> str:
        """What all links to this result from this chat have in common."""
        return f"{self.chat_id}:{self.shown.result_id}"


class LinkSigner:
    """Makes tokens and reads them.

    Parameters
    ----------
    bot_token : str
    secret : bytes
        Random, kept in the bot's file. Whoever has the file alone, or the bot's token alone, can
        sign nothing, and a file that is lost takes all links with it.
    lifetime_s : float
    now_s : callable
        The time since the epoch.
    """

    def __init__(
        self,
        bot_token: str,
        secret: bytes,
        lifetime_s: float,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._key = hmac.digest(bot_token.encode(), _PURPOSE + secret, "sha256")
        self._lifetime_ms = round(lifetime_s * 1000)
        self._now_s = now_s

    def sign(
        self,
        shown: RenderButton,
        title: str,
        *,
        person_id: int,
        chat_id: int,
        thread_id: int | None = None,
        language: str,
        in_telegram: bool = False,
    ) -> str:
        """Return the token of a new link."""
        issued_ms = self._now_ms()
        state = shown.pack().encode()
        header = _HEADER.pack(
            _VERSION,
            _IN_TELEGRAM if in_telegram else 0,
            issued_ms,
            issued_ms + self._lifetime_ms,
            person_id,
            chat_id,
            thread_id or 0,
            language.encode(),
            len(state),
        )
        payload = header + state + _cut(title)
        return base64.urlsafe_b64encode(payload + self._signature(payload)).rstrip(b"=").decode()

    def read(self, token: str) -> Link:
        """Return what a token says.

        Raises
        ------
        LinkError
            If it was not signed here, was changed, or has expired.
        """
        signed = _decode(token)
        payload, signature = signed[:-_SIGNATURE_BYTES], signed[-_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(payload)):
            raise LinkError("not signed here")
        link = _read(payload)
        if not link.issued_ms <= self._now_ms() < link.expires_ms:
            raise LinkError("expired")
        return link

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:_SIGNATURE_BYTES]

    def _now_ms(self) -> int:
        return int(self._now_s() * 1000)


def _cut(title: str) -> bytes:
    """A title in at most :data:`MAX_TITLE_BYTES` of UTF-8, with no half of a character."""
    return title.encode(errors="replace")[:MAX_TITLE_BYTES].decode(errors="ignore").encode()


def _decode(token: str) -> bytes:
    if len(token) > MAX_TOKEN_CHARS or not token.isascii():
        raise LinkError("no token")
    try:
        return base64.b64decode(token + "=" * (-len(token) % 4), b"-_", validate=True)
    except ValueError as error:
        raise LinkError("no token") from error


def _read(payload: bytes) -> Link:
    """Read what was signed here, by this or an earlier version."""
    if payload[:1] != bytes([_VERSION]):
        raise LinkError("of another version")
    _, flags, issued_ms, expires_ms, person_id, chat_id, thread_id, language, length = (
        _HEADER.unpack_from(payload)
    )
    state = payload[_HEADER.size :][:length].decode()
    title = payload[_HEADER.size + length :].decode()
    if language.decode() not in LANGUAGES:
        raise LinkError("in a language that was taken away")
    try:
        shown = RenderButton.unpack(state)
    except (TypeError, ValueError) as error:
        raise LinkError("of a page that cannot be shown any more") from error
    return Link(
        shown=shown,
        title=title,
        person_id=person_id,
        chat_id=chat_id,
        thread_id=thread_id or None,
        language=language.decode(),
        in_telegram=bool(flags & _IN_TELEGRAM),
        issued_ms=issued_ms,
        expires_ms=expires_ms,
    )
