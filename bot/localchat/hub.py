"""The state: the bot, the two chats, files, updates, commands.

The Bot API methods and the page change the state only through this module.
"""

from __future__ import annotations

import itertools
import secrets
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bot.localchat.chat import Chat, Message, Person
from bot.localchat.commands import CommandBook
from bot.localchat.errors import BotApiError, bad_request
from bot.localchat.files import FileStore
from bot.localchat.flood import FloodLimit, TokenBuckets
from bot.localchat.params import Params, whole_number
from bot.localchat.updates import UpdateQueue

_CALLBACK_VALID_S = 60.0
_CALLBACK_LIMIT = 1000
# Keys of a Message that hold its content, which forwarding copies.
_CONTENT_KEYS = (
    "text",
    "entities",
    "caption",
    "caption_entities",
    "photo",
    "voice",
    "audio",
    "document",
    "video",
    "video_note",
)


@dataclass(frozen=True)
class PendingCallback:
    """A pressed button that the bot has not answered yet."""

    chat: Chat
    valid_until_s: float


class Hub:
    """The whole state.

    Parameters
    ----------
    people : iterable of Person
        The people who can talk to the bot.
    flood_limit : FloodLimit or None
        ``None``: no flood control.
    file_budget_bytes : int
        Maximum size of all files in memory.
    """

    def __init__(
        self, people: Iterable[Person], flood_limit: FloodLimit | None, file_budget_bytes: int
    ) -> None:
        bot_id = 10_000_000 + secrets.randbelow(90_000_000)
        self.token = f"{bot_id}:{secrets.token_urlsafe(26)[:35]}"
        self.bot: dict[str, Any] = {
            "id": bot_id,
            "is_bot": True,
            "first_name": "Notabot",
            "username": "notabot_local_bot",
        }
        self.chats = {person.id: Chat(person) for person in people}
        self.files = FileStore(file_budget_bytes)
        self.updates = UpdateQueue()
        self.commands = CommandBook()
        self.flood = TokenBuckets(flood_limit)
        self.about: dict[tuple[str, str], str] = {}
        self._callbacks: OrderedDict[str, PendingCallback] = OrderedDict()
        self._message_ids = itertools.count(1)
        self._chat_instance = str(secrets.randbits(62))

    def close(self) -> None:
        """End all waiting requests and streams; the server is shutting down."""
        self.updates.close()
        for chat in self.chats.values():
            chat.hang_up()

    def chat_of(self, params: Params) -> Chat:
        """Return the chat that ``chat_id`` names.

        Raises
        ------
        BotApiError
            400, if there is none.
        """
        if not params.values.get("chat_id"):
            raise bad_request("chat_id is empty")
        chat = self.chats.get(params.integer("chat_id") or 0)
        if chat is None:
            raise bad_request("chat not found")
        return chat

    def own_message(self, params: Params, purpose: str) -> tuple[Chat, Message]:
        """Return the bot's own message that ``chat_id`` and ``message_id`` name.

        Raises
        ------
        BotApiError
            400, if there is none or it is the person's.
        """
        if params.values.get("message_id") is None:
            raise bad_request("message identifier is not specified")
        chat = self.chat_of(params)
        message = chat.find(params.integer("message_id"), purpose)
        if message["from"]["id"] != self.bot["id"]:
            raise bad_request("message can't be edited")
        return chat, message

    def reply_of(self, chat: Chat, params: Params) -> Message | None:
        """Return the message that a bot's message replies to, if it names one.

        Raises
        ------
        BotApiError
            400, if that message does not exist and the bot does not allow sending without it.
        """
        reply = params.mapping("reply_parameters") or {}
        if not reply and params.values.get("reply_to_message_id") is None:
            return None
        message_id = whole_number(reply.get("message_id", params.text("reply_to_message_id")))
        lenient = reply.get("allow_sending_without_reply") or params.flag(
            "allow_sending_without_reply"
        )
        if lenient and message_id not in chat.messages:
            return None
        return chat.find(message_id, "be replied")

    def post(
        self,
        chat: Chat,
        content: dict[str, Any],
        *,
        from_person: bool = False,
        reply_to: Message | None = None,
        markup: dict[str, Any] | None = None,
    ) -> Message:
        """Add a message to a chat; a person's becomes an update for the bot.

        Parameters
        ----------
        chat : Chat
            The chat to add to.
        content : dict
            The keys of ``Message`` that hold its content.
        from_person : bool
            Whether the person wrote it, rather than the bot.
        reply_to : dict, optional
            The message that it replies to.
        markup : dict, optional
            A checked inline keyboard.

        Returns
        -------
        dict
            The ``Message``.
        """
        message: Message = {
            "message_id": next(self._message_ids),
            "from": chat.person.to_json() if from_person else self.bot,
            "chat": chat.to_json(),
            "date": int(time.time()),
        }
        if reply_to is not None:
            message["reply_to_message"] = {
                key: value for key, value in reply_to.items() if key != "reply_to_message"
            }
        message |= content
        if markup is not None:
            message["reply_markup"] = markup
        chat.add(message)
        if from_person:
            self.updates.push("message", message)
        return message

    def forward(self, chat: Chat, original: Message) -> Message:
        """Forward one of the chat's messages to the bot, as the person."""
        origin = original.get("forward_origin") or {
            "type": "user",
            "sender_user": original["from"],
            "date": original["date"],
        }
        content = {key: original[key] for key in _CONTENT_KEYS if key in original}
        return self.post(chat, content | {"forward_origin": origin}, from_person=True)

    def press(self, chat: Chat, message: Message, data: str) -> str:
        """Press a button as the person, and return the id of the callback query.

        Raises
        ------
        BotApiError
            400, if the message has no such button.
        """
        rows = message.get("reply_markup", {}).get("inline_keyboard", [])
        if not any(button.get("callback_data") == data for row in rows for button in row):
            raise bad_request("the message has no such button")
        query_id = str(secrets.randbits(62))
        self._callbacks[query_id] = PendingCallback(chat, time.monotonic() + _CALLBACK_VALID_S)
        while len(self._callbacks) > _CALLBACK_LIMIT:
            self._callbacks.popitem(last=False)
        self.updates.push(
            "callback_query",
            {
                "id": query_id,
                "from": chat.person.to_json(),
                "message": message,
                "chat_instance": self._chat_instance,
                "data": data,
            },
        )
        return query_id

    def callback_chat(self, query_id: str | None) -> Chat:
        """Return the chat that a callback query came from.

        Raises
        ------
        BotApiError
            400, if the query is unknown or older than a minute.
        """
        pending = self._callbacks.get(query_id or "")
        if pending is None or pending.valid_until_s < time.monotonic():
            raise bad_request(
                "query is too old and response timeout expired or query ID is invalid"
            )
        return pending.chat

    def about_text(self, what: str, language: str) -> str:
        """Return the bot's name or description in a language, or else the default one."""
        default = str(self.bot["first_name"]) if what == "name" else ""
        return self.about.get((what, language)) or self.about.get((what, "")) or default

    def profile(self, chat: Chat) -> dict[str, Any]:
        """Return the bot's name, description and commands, as a person sees them."""
        language = chat.person.language_code
        return {
            "name": self.about_text("name", language),
            "username": self.bot["username"],
            "description": self.about_text("description", language),
            "commands": self.commands.visible(chat.id, language),
        }

    def announce_profile(self) -> None:
        """Tell every page that the bot's name, description or commands may have changed."""
        for chat in self.chats.values():
            chat.publish({"type": "profile", "profile": self.profile(chat)})

    def check_token(self, token: str) -> None:
        """Compare a token with the bot's.

        Raises
        ------
        BotApiError
            401, if they differ.
        """
        if not secrets.compare_digest(token.encode(), self.token.encode()):
            raise BotApiError(401, "Unauthorized")
