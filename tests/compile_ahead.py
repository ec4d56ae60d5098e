"""Compile what the default models need of numba, for every worker of the tests to copy.

    NUMBA_CACHE_DIR=DIR python -m tests.compile_ahead

librosa's functions and ours take most of a minute to compile, which otherwise each worker would do.
"""

from __future__ import annotations

from inference_service.assembly import build_stages
from inference_service.engine.selfcheck import check_component
from inference_service.pipeline.stages import Task
from inference_service.settings import ModelSettings


def main() -> None:
    """Run each default model on the built-in signal."""
    stages = build_stages(ModelSettings())
    for task in Task:
        check_component(task, getattr(stages, task.value))


if __name__ == "__main__":
    main()
