"""The practice page as one file to take along, which plays without a network.

``static/offline.html`` is the page with its script and styles in it. At its mark come the score,
the sounds and the instruments, as scripts of types that no browser runs. The file is written piece
by piece: sounds come from the service as they are sent on.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from aiohttp.helpers import content_disposition_header

from bot.client.sheets import Sound
from bot.errors import BotError, BotErrorCode
from bot.file_names import safe_name
from bot.i18n import Translator
from bot.practice.built import Built
from bot.practice.wire import Take

MARK: Final = b"<!--practice-data-->"
FETCH_BYTES: Final = 48 * 1024
"""Of a file at once; a multiple of three, so that Base64 has no padding within."""

_CLOSING: Final = b"</script>\n"

Fetch = Callable[[str], AsyncGenerator[Sound | bytes]]


@dataclass(frozen=True, slots=True)
class OfflinePage:
    """Writes files to take along.

    Parameters
    ----------
    built : Built
    """

    built: Built

    async def write(self, score: dict[str, Any], take: Take, fetch: Fetch) -> AsyncGenerator[bytes]:
        """Yield the file in pieces.

        Parameters
        ----------
        score : dict
            As the page gets it.
        take : Take
        fetch : callable
            Yields what a sound is, then its bytes.

        Raises
        ------
        BotError
            Before anything is yielded: ``NOT_FOUND`` if the page is not built, ``INVALID_REQUEST``
            if it has no such sound bank.
        ServiceError
        """
        banks = [self.built.find(f"soundbank/{name}") for name in take.banks]
        if None in banks:
            raise BotError(BotErrorCode.INVALID_REQUEST)
        before, mark, after = (await self._template()).partition(MARK)
        if not mark:
            raise BotError(BotErrorCode.NOT_FOUND)
        sounds = [name for name in take.sounds if name in score["sounds"]]
        alone = {"sounds": sounds, "can_undo": False, "can_redo": False, "can_send": False}
        yield before
        yield _opening("application/json", 'id="practice-score"')
        yield _json({**score, **alone})
        yield _CLOSING
        for name in sounds:
            async with aclosing(fetch(name)) as pieces:
                sound = await anext(pieces)
                assert isinstance(sound, Sound)
                yield _opening("text/plain", f'data-sound="{name}"')
                rest = b""
                async for piece in pieces:
                    assert isinstance(piece, bytes)
                    rest += piece
                    whole = len(rest) - len(rest) % 3
                    yield base64.b64encode(rest[:whole])
                    rest = rest[whole:]
                yield base64.b64encode(rest) + _CLOSING
        for name, path in zip(take.banks, banks, strict=True):
            assert path is not None
            yield _opening("text/plain", f'data-bank="{name}"')
            with await asyncio.to_thread(path.open, "rb") as file:
                while piece := await asyncio.to_thread(file.read, FETCH_BYTES):
                    yield base64.b64encode(piece)
            yield _CLOSING
        yield after

    def headers(self, title: str, t: Translator) -> dict[str, str]:
        """Return the headers that make a browser keep the file, under the title of the music."""
        name = safe_name(f"{title or t('title.recording')}.html")
        return {
            "Content-Type": "text/html; charset=utf-8",
            "Content-Disposition": content_disposition_header("attachment", filename=name),
        }

    async def _template(self) -> bytes:
        path = self.built.find("offline.html")
        if path is None:
            raise BotError(BotErrorCode.NOT_FOUND)
        return await asyncio.to_thread(path.read_bytes)


def _opening(media_type: str, attributes: str) -> bytes:
    return f'<script type="{media_type}" {attributes}>'.encode()


def _json(value: dict[str, Any]) -> bytes:
    """JSON in which nothing looks like markup, whatever the texts in it."""
    text = json.dumps(value, ensure_ascii=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text.encode()
