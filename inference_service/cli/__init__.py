"""``notabot``: serve, transcribe, separate, notate, continue, models.

Without ``--server`` the work is done in this process. Output files are written atomically, all or
none. An error is one line on standard error and an exit code from ``docs/errors.md``.
"""

from inference_service.cli.command import main

__all__ = ["main"]
