"""A local stand-in for Telegram's Bot API, with a chat page in the browser.

Without a bot token the very same aiogram bot talks to :mod:`bot.localchat.server` instead of
``api.telegram.org``. The stand-in implements the part of the Bot API that the bot uses, in
Telegram's JSON shapes, with Telegram's limits and Telegram's error texts, and serves a page that
plays the part of the messenger.

What it is not: everything lives in bounded memory and is gone with the process; there are private
chats only, between the bot and the two people of the page (an administrator and an ordinary
user); photos are kept as they came instead of being re-encoded.

Layout, each file one subject: ``errors`` and ``params`` (requests and their failures),
``entities``, ``images``, ``markup``, ``commands`` (pure checks of what a bot sends), ``files``,
``flood``, ``updates``, ``webhook``, ``hub`` (the state), ``sending``, ``editing``, ``account``,
``methods`` (the Bot API), ``page`` (what the browser calls), ``guard`` (who may call), ``server``
(the composition root), ``static/`` (the page).
"""
