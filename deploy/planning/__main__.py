"""Plans a service: ``python -m deploy.planning measure | size SONGS_AN_HOUR | page``.

``measure`` writes the measurements of this machine, which takes half an hour. ``size`` prints the
fleets that hold the target for a load. ``page`` writes the tables and the picture of
``docs/planning.md``.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict

from deploy.planning.sizing import CORES, GPUS, size
from deploy.planning.work import MEASUREMENTS, StageTimes


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    parser = argparse.ArgumentParser(prog="deploy.planning", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("measure")
    commands.add_parser("page")
    sizing = commands.add_parser("size")
    sizing.add_argument("songs_an_hour", type=float)
    sizing.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    if chosen.command == "measure":
        from deploy.planning.measure import measure

        MEASUREMENTS.write_text(json.dumps(measure(), indent=1) + "\n", encoding="utf-8")
    elif chosen.command == "page":
        from deploy.planning.page import write

        write()
    else:
        _print_sizes(chosen.songs_an_hour, chosen.seed)


def _print_sizes(songs_an_hour: float, seed: int) -> None:
    times = StageTimes.load()
    for name, hardware in (("cores", CORES), ("GPUs", GPUS)):
        plan = size(songs_an_hour, hardware, times, seed)
        print(
            f"{name}: {asdict(plan.replicas)}, p95 wait {plan.wait_s:.1f} s, "
            f"mean answer {plan.answer_s:.1f} s"
        )


if __name__ == "__main__":
    main()
