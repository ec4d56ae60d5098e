"""Telegram's Bot API over HTTP as a test double, which fails in every way that it can be told to.

Unlike the recording session of ``telegram.py``, it is reached through the bot's own session and
survives a bot that is killed. It keeps the messages of every chat as a person would see them.
"""

from __future__ import annotations

import asyncio
import contextlib
import enum
import hashlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from tests.bot.telegram import TOKEN

BOT_ID = int(TOKEN.partition(":")[0])
HANG_S = 60.0
PIECE_BYTES = 64 * 1024


class Fault(enum.StrEnum):
    """A way to fail."""

    FLOOD = "429"
    ERROR = "500"
    BAD_GATEWAY = "502"
    RESET = "reset"
    TIMEOUT = "timeout"
    CUT = "cut"
    """The request is carried out, but its answer breaks off."""


@dataclass
class Shown:
    """A message as the chat shows it."""

    message_id: int
    chat_id: int
    kind: str
    text: str = ""
    files: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)
    digest: str = ""
    """SHA-256 of the file, if there is one."""


class FakeTelegram:
    """The server; ``faults`` are the next answers to a method (``file`` for downloads).

    ``on_call`` is awaited before and after a method is carried out, with its name and that phase.
    """

    def __init__(self) -> None:
        self.faults: defaultdict[str, list[Fault]] = defaultdict(list)
        self.down = False
        self.files: dict[str, bytes] = {}
        self.messages: dict[int, Shown] = {}
        self.calls: list[str] = []
        self.on_call: Callable[[str, str], Awaitable[None]] | None = None
        self.url = ""
        self.history: list[dict[str, Any]] = []
        self._updates: list[dict[str, Any]] = []
        self._update_id = 1000
        self._message_id = 100
        self._changed = asyncio.Condition()

    async def send(self, chat_id: int, **content: Any) -> int:
        """Let a person send a message; return its id."""
        message_id = self._next_id()
        person = {"id": chat_id, "is_bot": False, "first_name": "Ann", "language_code": "en"}
        message = {
            "message_id": message_id,
            "date": 1,
            "chat": {"id": chat_id, "type": "private"},
            "from": person,
            **content,
        }
        await self.push({"message": message})
        return message_id

    async def send_voice(self, chat_id: int, data: bytes) -> int:
        """Let a person send a voice message."""
        file_id = f"voice-{self._message_id}"
        self.files[file_id] = data
        voice = {"file_id": file_id, "file_unique_id": file_id, "duration": 5}
        return await self.send(chat_id, voice={**voice, "file_size": len(data)})

    async def press(self, shown: Shown, button: str) -> None:
        """Let the person press a button."""
        query = {
            "id": str(self._next_id()),
            "from": {"id": shown.chat_id, "is_bot": False, "first_name": "Ann"},
            "chat_instance": "1",
            "data": shown.buttons[button],
            "message": {
                "message_id": shown.message_id,
                "date": 1,
                "chat": {"id": shown.chat_id, "type": "private"},
                "from": {"id": BOT_ID, "is_bot": True, "first_name": "Notabot"},
                **_content(shown),
            },
        }
        await self.push({"callback_query": query})

    async def push(self, update: dict[str, Any]) -> dict[str, Any]:
        """Queue an update for ``getUpdates``; return it with its id."""
        self._update_id += 1
        full = {"update_id": self._update_id, **update}
        async with self._changed:
            self._updates.append(full)
            self.history.append(full)
            self._changed.notify_all()
        return full

    def find_update(self, chat_id: int) -> dict[str, Any]:
        """The latest message of a chat, as Telegram delivers it."""
        return next(
            update
            for update in reversed(self.history)
            if update.get("message", {}).get("chat", {}).get("id") == chat_id
        )

    def pending(self) -> bool:
        """Whether there are updates that the bot has not confirmed."""
        return bool(self._updates)

    def shown(self, chat_id: int) -> list[Shown]:
        """What a chat shows from the bot, in order."""
        return [message for message in self.messages.values() if message.chat_id == chat_id]

    def scores(self, chat_id: int) -> list[Shown]:
        """The messages with a first page."""
        return [m for m in self.shown(chat_id) if any("score-1" in name for name in m.files)]

    def controls(self, chat_id: int) -> list[Shown]:
        """The messages with a result's buttons."""
        return [m for m in self.shown(chat_id) if "Piano" in m.buttons]

    async def wait_for(self, condition: Callable[[], Any], timeout_s: float = 20.0) -> None:
        """Wait until something is shown."""
        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(condition)

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator[FakeTelegram]:
        """Listen on a free port."""
        app = web.Application(client_max_size=200_000_000)
        app.router.add_route("*", "/bot{token}/{method}", self._handle)
        app.router.add_get("/file/bot{token}/{file_id}", self._download)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        values = dict(await request.post())
        self.calls.append(method)
        fault = self._fault(method)
        if fault is not None and fault is not Fault.CUT:
            return await _fail(request, fault)
        if self.on_call is not None:
            await self.on_call(method, "before")
        handler = getattr(self, f"_on_{method.lower()}", None)
        if handler is not None:
            result = await handler(values)
        elif method.startswith("send") and method != "sendChatAction":
            result = self._on_file(method, values)
        else:
            result = True
        async with self._changed:
            self._changed.notify_all()
        if self.on_call is not None:
            await self.on_call(method, "after")
        if isinstance(result, web.Response):
            return result
        body = json.dumps({"ok": True, "result": result}).encode()
        if fault is Fault.CUT:
            return await _cut(request, body)
        return web.Response(body=body, content_type="application/json")

    def _fault(self, name: str) -> Fault | None:
        if self.faults[name]:
            return self.faults[name].pop(0)
        return Fault.BAD_GATEWAY if self.down and name != "getUpdates" else None

    async def _download(self, request: web.Request) -> web.StreamResponse:
        self.calls.append("file")
        if self.on_call is not None:
            await self.on_call("file", "before")
        data = self.files[request.match_info["file_id"]]
        fault = self._fault("file")
        if fault is Fault.CUT:
            return await _cut(request, data)
        if fault is not None:
            return await _fail(request, fault)
        answer = web.StreamResponse(headers={"Content-Length": str(len(data))})
        await answer.prepare(request)
        with memoryview(data) as view:
            for start in range(0, len(data), PIECE_BYTES):  # no copy of the whole file
                await answer.write(bytes(view[start : start + PIECE_BYTES]))
        return answer

    async def _on_getme(self, values: dict[str, Any]) -> Any:
        return {"id": BOT_ID, "is_bot": True, "first_name": "Notabot", "username": "notabot"}

    async def _on_getupdates(self, values: dict[str, Any]) -> Any:
        offset = int(values.get("offset", 0) or 0)
        async with self._changed:
            self._updates = [u for u in self._updates if u["update_id"] >= offset]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.3):
                    await self._changed.wait_for(lambda: self._updates)
            return list(self._updates)

    async def _on_getfile(self, values: dict[str, Any]) -> Any:
        file_id = values["file_id"]
        if file_id not in self.files:
            return _refuse("wrong file_id")
        size = len(self.files[file_id])
        return {
            "file_id": file_id, "file_unique_id": file_id, "file_size": size, "file_path": file_id
        }  # fmt: skip

    async def _on_sendmessage(self, values: dict[str, Any]) -> Any:
        return self._show(values, "sendMessage", [])

    async def _on_sendmediagroup(self, values: dict[str, Any]) -> Any:
        names = [
            values[item["media"].removeprefix("attach://")].filename
            for item in json.loads(values["media"])
        ]
        return [self._show(values, "sendMediaGroup", names)]

    def _on_file(self, method: str, values: dict[str, Any]) -> Any:
        files = [value for value in values.values() if isinstance(value, web.FileField)]
        shown = self._show(values, method, [file.filename for file in files])
        for file in files[:1]:
            digest = hashlib.sha256(file.file.read()).hexdigest()
            self.messages[shown["message_id"]].digest = digest
        return shown

    async def _on_editmessagetext(self, values: dict[str, Any]) -> Any:
        message = self.messages.get(int(values["message_id"]))
        if message is None:
            return _refuse("message to edit not found")
        buttons = _buttons(values)
        if (message.text, message.buttons) == (values["text"], buttons):
            return _refuse("message is not modified")
        message.text, message.buttons = values["text"], buttons
        return self._json(message)

    async def _on_editmessagemedia(self, values: dict[str, Any]) -> Any:
        message = self.messages.get(int(values["message_id"]))
        if message is None:
            return _refuse("message to edit not found")
        media = json.loads(values["media"])
        message.files = [values[media["media"].removeprefix("attach://")].filename]
        message.text, message.buttons = media["caption"], _buttons(values)
        return self._json(message)

    async def _on_editmessagereplymarkup(self, values: dict[str, Any]) -> Any:
        message = self.messages.get(int(values["message_id"]))
        if message is None:
            return _refuse("message to edit not found")
        message.buttons = _buttons(values)
        return self._json(message)

    async def _on_deletemessage(self, values: dict[str, Any]) -> Any:
        if self.messages.pop(int(values["message_id"]), None) is None:
            return _refuse("message to delete not found")
        return True

    def _show(self, values: dict[str, Any], kind: str, files: list[str]) -> dict[str, Any]:
        shown = Shown(
            self._next_id(),
            int(values["chat_id"]),
            kind,
            values.get("text") or values.get("caption") or "",
            files,
            _buttons(values),
        )
        self.messages[shown.message_id] = shown
        return self._json(shown)

    def _json(self, shown: Shown) -> dict[str, Any]:
        return {
            "message_id": shown.message_id,
            "date": 1,
            "chat": {"id": shown.chat_id, "type": "private"},
            **_content(shown),
        }

    def _next_id(self) -> int:
        self._message_id += 1
        return self._message_id


def _content(shown: Shown) -> dict[str, Any]:
    if shown.kind != "sendPhoto":
        return {"text": shown.text}
    photo = {"file_id": "page", "file_unique_id": "p", "width": 7, "height": 9}
    return {"photo": [photo], "caption": shown.text}


def _buttons(values: dict[str, Any]) -> dict[str, str]:
    markup = json.loads(values.get("reply_markup") or "{}")
    return {
        button["text"]: button.get("callback_data") or _address(button)
        for row in markup.get("inline_keyboard", [])
        for button in row
    }


def _address(button: dict[str, Any]) -> str:
    """The address of a button that opens one."""
    return str(button.get("url") or button["web_app"]["url"])


def _refuse(words: str) -> web.Response:
    body = {"ok": False, "error_code": 400, "description": f"Bad Request: {words}"}
    return web.json_response(body, status=400)


async def _fail(request: web.Request, fault: Fault) -> web.Response:
    match fault:
        case Fault.FLOOD:
            parameters = {"retry_after": 1}
            body = {"ok": False, "description": "Too Many Requests", "parameters": parameters}
            return web.json_response(body, status=429)
        case Fault.ERROR:
            body = {"ok": False, "description": "Internal Server Error"}
            return web.json_response(body, status=500)
        case Fault.BAD_GATEWAY:
            return web.Response(text="<html>502 Bad Gateway</html>", status=502)
        case Fault.TIMEOUT:
            await asyncio.sleep(HANG_S)
    _abort(request)
    return web.Response()


async def _cut(request: web.Request, body: bytes) -> web.StreamResponse:
    """Announce the whole body, send half of it and hang up."""
    answer = web.StreamResponse(headers={"Content-Length": str(len(body))})
    await answer.prepare(request)
    await answer.write(body[: len(body) // 2])
    await asyncio.sleep(0.05)
    _abort(request)
    return answer


def _abort(request: web.Request) -> None:
    transport = request.transport
    if isinstance(transport, asyncio.WriteTransport):
        transport.abort()
