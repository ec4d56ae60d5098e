"""One private chat: its person, its messages, and the pages that show it.

Messages are the Bot API's ``Message`` objects and are never changed in place: an edit replaces the
object, so replies and waiting updates keep the message as it was when they were made.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bot.localchat.errors import bad_request

Message = dict[str, Any]
Event = dict[str, Any]

MESSAGE_LIMIT = 1000
_BACKLOG_LIMIT = 1000


@dataclass
class Person:
    """Somebody who talks to the bot through the page."""

    id: int
    first_name: str
    is_administrator: bool
    language_code: str

    def to_json(self) -> dict[str, Any]:
        """Return the Bot API's ``User``."""
        return {
            "id": self.id,
            "is_bot": False,
            "first_name": self.first_name,
            "language_code": self.language_code,
        }


@dataclass
class Chat:
    """A person's chat with the bot; its id is the person's, as in Telegram."""

    person: Person
    messages: OrderedDict[int, Message] = field(default_factory=OrderedDict)
    reactions: dict[int, str] = field(default_factory=dict)
    _listeners: set[asyncio.Queue[Event | None]] = field(default_factory=set)

    @property
    def id(self) -> int:
        """The chat's id."""
        return self.person.id

    def to_json(self) -> dict[str, Any]:
        """Return the Bot API's ``Chat``."""
        return {"id": self.id, "type": "private", "first_name": self.person.first_name}

    def add(self, message: Message) -> None:
        """Append a message, and drop the oldest beyond the limit."""
        self.messages[message["message_id"]] = message
        while len(self.messages) > MESSAGE_LIMIT:
            message_id, _ = self.messages.popitem(last=False)
            self.reactions.pop(message_id, None)
        self.publish({"type": "message", "message": message})

    def replace(self, message: Message) -> None:
        """Put an edited message in its place."""
        self.messages[message["message_id"]] = message
        self.publish({"type": "edit", "message": message})

    def remove(self, message_ids: list[int]) -> list[int]:
        """Delete messages and return the ids of those that existed."""
        removed = [message_id for message_id in message_ids if self.messages.pop(message_id, None)]
        if removed:
            self.publish({"type": "delete", "message_ids": removed})
        return removed

    def react(self, message_id: int, emoji: str) -> None:
        """Show the bot's reaction to a message; an empty one removes it."""
        self.reactions.pop(message_id, None)
        if emoji:
            self.reactions[message_id] = emoji
        self.publish({"type": "reaction", "message_id": message_id, "emoji": emoji})

    def find(self, message_id: int | None, purpose: str) -> Message:
        """Return a message.

        Raises
        ------
        BotApiError
            400 ``message to PURPOSE not found``.
        """
        message = self.messages.get(message_id) if message_id is not None else None
        if message is None:
            raise bad_request(f"message to {purpose} not found")
        return message

    def publish(self, event: Event) -> None:
        """Send an event to every page; disconnect pages that do not keep up, which reconnect."""
        for queue in tuple(self._listeners):
            if queue.qsize() < _BACKLOG_LIMIT:
                queue.put_nowait(event)
            else:
                self._listeners.discard(queue)
                queue.put_nowait(None)

    def hang_up(self) -> None:
        """End every page's stream of events."""
        for queue in tuple(self._listeners):
            queue.put_nowait(None)
        self._listeners.clear()

    @contextmanager
    def listen(self) -> Iterator[asyncio.Queue[Event | None]]:
        """Receive events until the context ends; ``None`` is the last."""
        queue: asyncio.Queue[Event | None] = asyncio.Queue()
        self._listeners.add(queue)
        try:
            yield queue
        finally:
            self._listeners.discard(queue)
