"""The Telegram bot: knows Telegram and the service's protocol, never audio, numpy or torch.

It keeps no results. A button carries a result's id, and the service's cache renders it again, so
buttons outlive a restart of the bot. What little it remembers is in one file of SQLite, and may be
lost (``docs/adr/0003-stateless-bot.md``).
"""
