"""A local stand-in for Telegram's Bot API, with a chat page in the browser.

Without a bot token the same aiogram bot talks to :mod:`bot.localchat.server` instead of
``api.telegram.org``. The stand-in implements the part of the Bot API that the bot uses, with
Telegram's JSON shapes, limits and error texts, and serves a page that takes the messenger's place.

Limitations: all state is in bounded memory and is lost with the process; there are only private
chats, between the bot and the two people of the page (an administrator and an ordinary user);
photos are kept as sent instead of being re-encoded.

Layout, one subject a file: ``errors`` and ``params`` (requests and their failures),
``entities``, ``images``, ``markup``, ``commands`` (pure checks of what a bot sends), ``files``,
``flood``, ``updates``, ``webhook``, ``hub`` (the state), ``sending``, ``editing``, ``account``,
``methods`` (the Bot API), ``page`` (what the browser calls), ``guard`` (who may call), ``server``
(the composition root), ``static/`` (the page).
"""
