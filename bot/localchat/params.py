"""The parameters of a Bot API request, in any of its encodings.

Telegram takes a query string, ``application/x-www-form-urlencoded``, ``application/json`` and
``multipart/form-data`` (https://core.telegram.org/bots/api#making-requests). In the first, second
and fourth, every value is text, and composite values are JSON text; a JSON body may hold either.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from bot.localchat.errors import BotApiError, bad_request
from bot.localchat.files import Upload

UPLOAD_LIMIT_BYTES = 50 * 1024 * 1024
_TEXT_LIMIT_BYTES = 1024 * 1024
_PART_LIMIT = 100


@dataclass(frozen=True)
class Params:
    """Named values and attached files of one request."""

    values: Mapping[str, Any]
    uploads: Mapping[str, Upload] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """Return a parameter as text; ``None`` if it is absent."""
        value = self.values.get(name)
        if value is None:
            return None
        return value if isinstance(value, str) else json.dumps(value)

    def integer(self, name: str) -> int | None:
        """Return a parameter as a number; ``None`` if it is absent or not a number."""
        return whole_number(self.values.get(name))

    def flag(self, name: str) -> bool:
        """Return a parameter as a boolean; false if absent."""
        return str(self.values.get(name, "")).lower() in {"true", "1", "yes"}

    def composite(self, name: str) -> Any:
        """Return a parameter that is JSON; ``None`` if it is absent or empty.

        Raises
        ------
        BotApiError
            400, if it is not JSON.
        """
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        if not value.strip():
            return None
        try:
            return json.loads(value)
        except ValueError:
            raise bad_request(f"can't parse {name.replace('_', ' ')} JSON object") from None

    def mapping(self, name: str) -> dict[str, Any] | None:
        """Return a parameter that is a JSON object.

        Raises
        ------
        BotApiError
            400, if it is anything else.
        """
        value = self.composite(name)
        if value is not None and not isinstance(value, dict):
            raise bad_request(f"object expected as {name.replace('_', ' ')}")
        return value

    def sequence(self, name: str) -> list[Any] | None:
        """Return a parameter that is a JSON array.

        Raises
        ------
        BotApiError
            400, if it is anything else.
        """
        value = self.composite(name)
        if value is not None and not isinstance(value, list):
            raise bad_request(f"expected an Array of {name.replace('_', ' ')}")
        return value


def whole_number(value: Any) -> int | None:
    """Read an integer as Telegram does, from JSON or from text; ``None`` for anything else."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return None


async def read_params(request: web.Request, limit_bytes: int = UPLOAD_LIMIT_BYTES) -> Params:
    """Read a request in any of the four encodings, with at most `limit_bytes` of files.

    Raises
    ------
    BotApiError
        413 beyond the limit; 400 for a body that does not match its content type.
    """
    values: dict[str, Any] = dict(request.query)
    uploads: dict[str, Upload] = {}
    if request.content_type == "multipart/form-data":
        await _read_multipart(request, limit_bytes, values, uploads)
    elif request.can_read_body:
        body = await _read_text(request)
        if request.content_type == "application/json":
            try:
                decoded = json.loads(body)
            except ValueError:
                raise bad_request("can't parse JSON object") from None
            if not isinstance(decoded, dict):
                raise bad_request("object expected as JSON body")
            values |= decoded
        else:
            values |= await request.post()
    return Params(values, uploads)


async def read_upload(part: BodyPartReader, budget_bytes: int) -> Upload:
    """Read one part of a multipart body, at most `budget_bytes` of it.

    Raises
    ------
    BotApiError
        413, if the part is larger.
    """
    data = bytearray()
    while chunk := await part.read_chunk(256 * 1024):
        data += chunk
        if len(data) > budget_bytes:
            raise BotApiError(413, "Request Entity Too Large")
    media_type = part.headers.get("Content-Type", "application/octet-stream").split(";")[0]
    return Upload(bytes(data), part.filename or part.name or "file", media_type.strip().lower())


async def _read_text(request: web.Request) -> bytes:
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise BotApiError(413, "Request Entity Too Large") from None


async def _read_multipart(
    request: web.Request, limit_bytes: int, values: dict[str, Any], uploads: dict[str, Upload]
) -> None:
    try:
        reader = await request.multipart()
        files_left_bytes, text_left_bytes = limit_bytes, _TEXT_LIMIT_BYTES
        part_count = 0
        async for part in reader:
            part_count += 1
            if not isinstance(part, BodyPartReader) or not part.name or part_count > _PART_LIMIT:
                raise bad_request("unexpected part of a multipart body")
            upload = await read_upload(part, files_left_bytes if part.filename else text_left_bytes)
            if part.filename:
                uploads[part.name] = upload
                files_left_bytes -= len(upload.data)
            else:
                values[part.name] = upload.data.decode()
                text_left_bytes -= len(upload.data)
    except ValueError:
        raise bad_request("can't parse a multipart body") from None
