"""A service whose transcriptions take a given time: ``python -m tests.attack.slow_service``.

The server, the engine and the journal are the real ones; only the music is invented.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any

from inference_service.assembly import build_service
from inference_service.log import configure_logging
from inference_service.music.events import Transcription
from inference_service.pipeline.options import RenderOptions
from inference_service.pipeline.render import Artifact, Rendering
from inference_service.progress import Progress, Stage
from tests.service.running import HeldPipeline, build_settings

FILES = ("score-1.png",)


class SlowPipeline(HeldPipeline):
    """A pipeline that takes ``work_s`` for every recording."""

    def __init__(self, settings: Any, work_s: float) -> None:
        super().__init__(settings)
        self._work_s = work_s

    def transcribe(self, waveform: Any, *given: Any) -> Transcription:
        """Report progress for a while."""
        progress: Progress = given[2]
        end_s = time.monotonic() + self._work_s
        while time.monotonic() < end_s:
            progress(Stage.TAGGING, 0.5)
            time.sleep(0.02)
        self.release.set()
        return super().transcribe(waveform, *given)

    def render(
        self, transcription: Transcription, options: RenderOptions, *given: Any
    ) -> Rendering:
        """Return a page."""
        shown = super().render(transcription, options, *given).shown
        files = [Artifact(name, "application/test", name.encode() * 20) for name in FILES]
        return Rendering(shown, tuple(files), options)


async def main(folder: Path, port: int, work_s: float) -> None:
    """Serve until killed."""
    configure_logging("info")
    settings = build_settings(folder, server={"listen": f"127.0.0.1:{port}"})
    service = build_service(settings, use_cases=SlowPipeline(settings, work_s))
    await service.start()
    await service.load()
    print("serving", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
