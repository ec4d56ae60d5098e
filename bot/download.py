"""Downloads from Telegram, piece by piece: no file is ever held whole.

A download that breaks is begun again, and the pieces that had arrived are skipped.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
import structlog
from aiogram import Bot
from aiogram.exceptions import TelegramAPIError, TelegramBadRequest
from aiogram.types import File

from bot.errors import BotErrorCode, ServiceErrorCode, SourceError
from bot.retries import Patience
from bot.sources import AudioSource

CHUNK_BYTES: Final = 64 * 1024
DOWNLOAD_TIMEOUT_S: Final = 180

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """A file on Telegram's servers, to be read in pieces.

    Parameters
    ----------
    bot : Bot
    source : AudioSource
    max_bytes : int
        Largest file.
    patience_s : float
        How long a download that breaks is begun again.
    """

    bot: Bot
    source: AudioSource
    max_bytes: int
    patience_s: float

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield the file in pieces of at most :data:`CHUNK_BYTES`.

        Raises
        ------
        SourceError
            ``AUDIO_TOO_LARGE``, or ``DOWNLOAD_FAILED`` if Telegram does not deliver the file.
        """
        read_bytes = 0
        patience = Patience(self.patience_s)
        while True:
            file = await self._locate()
            try:
                async with aclosing(self._read(file)) as pieces:
                    async for piece in _skip(pieces, read_bytes):
                        read_bytes += len(piece)
                        if read_bytes > self.max_bytes:
                            raise self._too_large(None)
                        yield piece
            except (TimeoutError, aiohttp.ClientError, OSError) as error:
                # The cause is dropped: its text contains the file's address, and so the token.
                failure = type(error).__name__
            else:
                if read_bytes >= (file.file_size or 0):
                    return
                failure = "incomplete"
            logger.warning("download broke", error=failure, read_bytes=read_bytes)
            if not await patience.pause():
                raise SourceError(BotErrorCode.DOWNLOAD_FAILED)

    async def _locate(self) -> File:
        """Ask Telegram where the file is."""
        try:
            file = await self.bot.get_file(self.source.file_id)
        except TelegramBadRequest as error:
            if "too big" in error.message.lower():
                raise self._too_large(self.source.size_bytes) from None
            raise SourceError(BotErrorCode.DOWNLOAD_FAILED) from None
        except TelegramAPIError:
            raise SourceError(BotErrorCode.DOWNLOAD_FAILED) from None
        if file.file_path is None:
            raise SourceError(BotErrorCode.DOWNLOAD_FAILED)
        if file.file_size is not None and file.file_size > self.max_bytes:
            raise self._too_large(file.file_size)
        return file

    def _too_large(self, size_bytes: int | None) -> SourceError:
        sizes = {} if size_bytes is None else {"size_bytes": size_bytes}
        return SourceError(
            ServiceErrorCode.AUDIO_TOO_LARGE, {"limit_bytes": self.max_bytes, **sizes}
        )

    def _read(self, file: File) -> AsyncGenerator[bytes, None]:
        assert file.file_path is not None
        api = self.bot.session.api
        if api.is_local:
            return _read_local(Path(api.wrap_local_file.to_local(file.file_path)))
        return self.bot.session.stream_content(
            api.file_url(self.bot.token, file.file_path),
            timeout=DOWNLOAD_TIMEOUT_S,
            chunk_size=CHUNK_BYTES,
        )


async def _read_local(path: Path) -> AsyncGenerator[bytes, None]:
    """Read a file that a Bot API server on this machine has downloaded."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece


async def _skip(pieces: AsyncIterator[bytes], skipped_bytes: int) -> AsyncGenerator[bytes, None]:
    """Yield what follows the first ``skipped_bytes``."""
    async for piece in pieces:
        rest = piece[skipped_bytes:]
        skipped_bytes = max(0, skipped_bytes - len(piece))
        if rest:
            yield rest
