"""The chat page's calls: session, events, and the person's actions.

``GET /`` and ``/static/...`` serve the page. ``GET /api/session`` returns its key; every other call
needs the key (see :mod:`bot.localchat.guard`) and the ``person`` who acts. ``GET /api/events`` is a
stream of server-sent events that begins with a snapshot of the chat, so a page that lost its
connection only needs to reconnect.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.helpers import content_disposition_header

from bot.localchat.chat import Chat, Message
from bot.localchat.entities import detect_entities, utf16_length
from bot.localchat.errors import BotApiError, bad_request
from bot.localchat.files import StoredFile
from bot.localchat.guard import Guard, Handler
from bot.localchat.hub import Hub
from bot.localchat.media import MEDIA_KINDS, check_photo, describe_file
from bot.localchat.params import Params, read_params
from bot.localchat.sending import CAPTION_LIMIT, TEXT_LIMIT

LANGUAGES = ("en", "ru")
# A person may send more than a bot may download, so that the bot's refusal can be tried.
PERSON_UPLOAD_LIMIT_BYTES = 64 * 1024 * 1024
_STATIC = Path(__file__).parent / "static"
_KEEPALIVE_S = 15.0
# Bounds the memory that unfinished uploads take.
_PARALLEL_UPLOADS = 3
# The only types that a browser may display; all others are downloaded.
_INLINE_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "audio/ogg",
        "audio/mpeg",
        "audio/mp4",
        "audio/x-m4a",
        "audio/aac",
        "audio/wav",
        "audio/x-wav",
        "audio/flac",
        "audio/x-flac",
        "audio/webm",
        "video/mp4",
        "video/webm",
        "video/quicktime",
    }
)


class Page:
    """The routes of the page.

    Parameters
    ----------
    hub : Hub
        The state that the page shows and changes.
    guard : Guard
        Checks the key.
    """

    def __init__(self, hub: Hub, guard: Guard) -> None:
        self._hub = hub
        self._guard = guard
        self._run_id = secrets.token_hex(8)
        self._upload_slots = asyncio.Semaphore(_PARALLEL_UPLOADS)

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes for :meth:`aiohttp.web.UrlDispatcher.add_routes`."""
        return [
            web.get("/", self._index),
            web.static("/static", _STATIC),
            web.get("/api/session", self._session),
            web.get("/api/events", self._events),
            web.get("/api/file/{file_id}", self._file),
            web.post("/api/text", self._action(self._send_text)),
            web.post("/api/upload", self._action(self._send_upload)),
            web.post("/api/forward", self._action(self._forward)),
            web.post("/api/press", self._action(self._press)),
            web.post("/api/language", self._action(self._choose_language)),
        ]

    async def _index(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_STATIC / "index.html")

    async def _session(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "key": self._guard.key,
                "run_id": self._run_id,
                "bot_id": self._hub.bot["id"],
                "people": [
                    {
                        "id": chat.person.id,
                        "is_administrator": chat.person.is_administrator,
                        "language": chat.person.language_code,
                    }
                    for chat in self._hub.chats.values()
                ],
                "upload_limit_bytes": PERSON_UPLOAD_LIMIT_BYTES,
                "text_limit": TEXT_LIMIT,
            }
        )

    async def _events(self, request: web.Request) -> web.StreamResponse:
        self._guard.check_key(request)
        chat = self._chat(Params(dict(request.query)))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        self._guard.protect(response)
        # No await may come between listening and the snapshot: an event could be sent twice.
        with chat.listen() as events:
            event: dict[str, Any] | None = {
                "type": "snapshot",
                "messages": list(chat.messages.values()),
                "reactions": chat.reactions,
                "profile": self._hub.profile(chat),
            }
            await response.prepare(request)
            try:
                while event is not None:
                    await response.write(f"data: {json.dumps(event)}\n\n".encode())
                    event = await self._next_event(events, response)
            except ConnectionResetError:
                pass
        return response

    async def _next_event(
        self, events: asyncio.Queue[dict[str, Any] | None], response: web.StreamResponse
    ) -> dict[str, Any] | None:
        while True:
            try:
                async with asyncio.timeout(_KEEPALIVE_S):
                    return await events.get()
            except TimeoutError:
                await response.write(b": still here\n\n")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self._guard.check_key(request)
        try:
            file = self._hub.files.get(request.match_info["file_id"])
        except BotApiError:
            raise web.HTTPNotFound(text="The file is gone.") from None
        return _serve(request, file)

    def _action(self, act: Callable[[Chat, Params], dict[str, Any]]) -> Handler:
        """Wrap an action of a person in a chat as a request handler."""

        async def handle(request: web.Request) -> web.Response:
            self._guard.check_key(request)
            try:
                params = await self._read(request)
                result = act(self._chat(params), params)
            except BotApiError as error:
                return web.json_response(error.to_json(), status=error.error_code)
            return web.json_response({"ok": True, "result": result})

        return handle

    async def _read(self, request: web.Request) -> Params:
        if request.content_type != "multipart/form-data":
            return await read_params(request)
        async with self._upload_slots:
            return await read_params(request, PERSON_UPLOAD_LIMIT_BYTES)

    def _chat(self, params: Params) -> Chat:
        chat = self._hub.chats.get(params.integer("person") or 0)
        if chat is None:
            raise bad_request("there is no such person")
        return chat

    def _reply_to(self, chat: Chat, params: Params) -> Message | None:
        message_id = params.integer("reply_to")
        return None if message_id is None else chat.find(message_id, "be replied")

    def _send_text(self, chat: Chat, params: Params) -> dict[str, Any]:
        text = (params.text("text") or "").strip()
        if not 1 <= utf16_length(text) <= TEXT_LIMIT:
            raise bad_request("message is empty or too long")
        content: dict[str, Any] = {"text": text}
        if entities := detect_entities(text):
            content["entities"] = entities
        reply_to = self._reply_to(chat, params)
        return self._hub.post(chat, content, from_person=True, reply_to=reply_to)

    def _send_upload(self, chat: Chat, params: Params) -> dict[str, Any]:
        upload = params.uploads.get("file")
        kind = params.text("kind")
        if upload is None or not upload.data or kind not in MEDIA_KINDS:
            raise bad_request("there is no file in the request")
        if kind == "photo":
            check_photo(upload)
        caption = (params.text("caption") or "").strip()
        if utf16_length(caption) > CAPTION_LIMIT:
            raise bad_request("message caption is too long")
        reply_to = self._reply_to(chat, params)
        content = describe_file(self._hub.files.add(upload, kind), params.values)
        if caption:
            content["caption"] = caption
            if entities := detect_entities(caption):
                content["caption_entities"] = entities
        return self._hub.post(chat, content, from_person=True, reply_to=reply_to)

    def _forward(self, chat: Chat, params: Params) -> dict[str, Any]:
        return self._hub.forward(chat, chat.find(params.integer("message_id"), "forward"))

    def _press(self, chat: Chat, params: Params) -> dict[str, Any]:
        message = chat.find(params.integer("message_id"), "press a button of")
        return {"query_id": self._hub.press(chat, message, params.text("data") or "")}

    def _choose_language(self, chat: Chat, params: Params) -> dict[str, Any]:
        language = params.text("language")
        if language not in LANGUAGES:
            raise bad_request("unknown language")
        chat.person.language_code = language
        self._hub.announce_profile()
        return {"language": language}


def _serve(request: web.Request, file: StoredFile) -> web.Response:
    """Answer with a file, or with the range that a player requests."""
    inline = file.media_type in _INLINE_TYPES and "download" not in request.query
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, max-age=86400, immutable",
        "Content-Disposition": content_disposition_header(
            "inline" if inline else "attachment", filename=file.file_name
        ),
    }
    media_type = file.media_type if inline else "application/octet-stream"
    try:
        wanted = request.http_range
    except ValueError:
        wanted = slice(None)
    size = len(file.data)
    start, stop, _ = wanted.indices(size)
    if wanted.start is None and wanted.stop is None:
        return web.Response(body=file.data, content_type=media_type, headers=headers)
    if start >= stop:
        raise web.HTTPRequestRangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return web.Response(
        status=206, body=file.data[start:stop], content_type=media_type, headers=headers
    )
