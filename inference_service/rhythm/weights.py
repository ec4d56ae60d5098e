"""Networks from safetensors files that say in their metadata how large they are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from safetensors import safe_open
from torch import nn

N = TypeVar("N", bound=nn.Module)


def load_network(path: Path, build: Callable[..., N]) -> N:
    """Return ``build(**config)`` with the file's weights, ready to run.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    """
    with safe_open(path, "pt") as file:
        network = build(**json.loads(file.metadata()["config"]))
        network.load_state_dict({name: file.get_tensor(name) for name in file.keys()})  # noqa: SIM118
    network.eval()
    return network
