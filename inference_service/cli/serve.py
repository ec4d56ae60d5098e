"""``notabot serve``."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

from inference_service.engine.heap import use_one_heap
from inference_service.log import configure_logging
from inference_service.settings import Settings

if TYPE_CHECKING:
    from inference_service.cli.options import Commands


def add_commands(commands: Commands) -> None:
    """Add the command."""
    serve = commands.add_parser("serve", help="run the inference service")
    serve.set_defaults(command=_serve)


def _serve(options: argparse.Namespace, settings: Settings) -> None:
    use_one_heap()
    configure_logging(settings.log_level)
    asyncio.run(_run_service(settings))
    # Everything is closed. A normal exit would wait for a thread that is still inside a model, and
    # unloading torch would take seconds.
    sys.stderr.flush()
    os._exit(0)


async def _run_service(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT."""
    from inference_service.assembly import build_service

    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    service = build_service(settings)
    await service.start()
    loading = asyncio.create_task(service.load())
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait([loading, waiting], return_when=asyncio.FIRST_COMPLETED)
    failure = loading.exception() if loading.done() else None
    if failure is not None:  # without its models the service is useless: stop and say why
        waiting.cancel()
        await service.stop(drain_s=0.0)
        raise failure
    await waiting
    await service.stop()
    loading.cancel()
    await asyncio.wait([loading])
