"""Files of networks: this project's own, for training and for serving, and published checkpoints.

A safetensors file holds a network's state: parameters, and the buffers that were learnt. Buffers
that are computed, such as a spectrogram's kernels, are registered as not persistent and so are in
no file. The metadata hold the class of the network (``network``), its configuration in JSON
(``config``), and whatever training adds: the number of steps, the thresholds that suit the weights.

Tensors may be stored in half precision; a loaded network is in float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, ClassVar, Final, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from inference_service.errors import ModelRejected

NETWORK_KEY: Final = "network"
CONFIG_KEY: Final = "config"


class Network(nn.Module):
    """A network that is built from a frozen dataclass.

    Attributes
    ----------
    config_class : type
        The dataclass; its fields are numbers, strings and tuples of these.
    config : config_class
        The values that this network was built from.
    """

    config_class: ClassVar[type[Any]]
    config: Any


N = TypeVar("N", bound=Network)
M = TypeVar("M", bound=nn.Module)


def save_network(
    network: Network,
    path: Path,
    metadata: Mapping[str, str] | None = None,
    precision: torch.dtype = torch.float32,
) -> None:
    """Write a network's state, configuration and further metadata, atomically."""
    tensors = {
        name: value.to(precision) if value.is_floating_point() else value
        for name, value in network.state_dict().items()
    }
    save_tensors(tensors, path, {**(metadata or {}), **describe(network)})


def load_network(path: Path, network_class: type[N], device: str = "cpu") -> N:
    """Read what :func:`save_network` wrote, in evaluation mode.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file does not hold a network of this class.
    """
    network = network_class(_read_config(read_metadata(path), network_class, path))
    load_weights(network, path)
    return network.to(device).eval()


def load_weights(network: Network, path: Path) -> None:
    """Read what :func:`save_network` wrote into a network of the same class and configuration.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file holds another network.
    """
    load_state(network, load_file(path), read_metadata(path), path)


def read_metadata(path: Path) -> dict[str, str]:
    """Return the metadata of a file, those that describe the network included.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If the file is not a safetensors file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except SafetensorError as error:
        raise _reject(path, "no safetensors") from error


def describe(network: Network) -> dict[str, str]:
    """Return the metadata by which a network's file is recognised."""
    return {
        NETWORK_KEY: type(network).__name__,
        CONFIG_KEY: json.dumps(asdict(network.config)),
    }


def save_tensors(tensors: Mapping[str, Tensor], path: Path, metadata: dict[str, str]) -> None:
    """Write a safetensors file atomically."""
    partial = path.with_name(path.name + ".partial")
    save_file({name: value.contiguous() for name, value in tensors.items()}, partial, metadata)
    partial.rename(path)


def load_state(
    network: Network, tensors: Mapping[str, Tensor], metadata: Mapping[str, str], source: Path
) -> None:
    """Copy tensors into a network, if the metadata beside them describe it.

    Raises
    ------
    ModelRejected
        If class, configuration, or the tensors' names or shapes are not the network's; ``source``
        is named. Also if a value is not finite.
    """
    config = _read_config(metadata, type(network), source)
    if config != network.config:
        raise _reject(source, f"one of {config} instead of {network.config}")
    for name, value in tensors.items():
        if not value.isfinite().all():
            raise _reject(source, f"values of {name} are not finite")
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError as error:
        raise _reject(source, f"another version of {type(network).__name__}") from error


def read_published(
    path: Path, model: str, *, allowed: Sequence[Any] = (), mmap: bool = False
) -> Any:
    """Read a checkpoint that others published: what torch has stored, but never code.

    Parameters
    ----------
    path : Path
    model : str
        Named in errors.
    allowed : sequence
        Classes that the file may hold beside tensors, as ``torch.serialization.safe_globals`` takes
        them.
    mmap : bool
        Whether tensors stay in the file until they are used.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelRejected
        If it holds something else.
    """
    try:
        with torch.serialization.safe_globals(list(allowed)):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mmap)
    except (UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ModelRejected(
            f"{path.name} holds no file of torch with tensors alone", model=model
        ) from error


def fill(network: M, parameters: Mapping[str, Tensor], path: Path, model: str) -> M:
    """Copy published parameters into a network, and return it in evaluation mode.

    Raises
    ------
    ModelRejected
        If their names or shapes are not the network's, or a value is not finite; ``path`` and
        ``model`` are named.
    """
    try:
        network.load_state_dict(parameters)
    except (RuntimeError, AttributeError, TypeError) as error:
        raise ModelRejected(
            f"{path.name} holds the parameters of another network", model=model
        ) from error
    require_finite(network, path, model)
    return network.eval()


def require_finite(network: nn.Module, path: Path, model: str) -> None:
    """Check the values of a network that was read from a file.

    Raises
    ------
    ModelRejected
        If one is not finite.
    """
    for name, value in network.state_dict().items():
        if not value.isfinite().all():
            raise ModelRejected(
                f"{path.name} holds values of {name} that are not finite", model=model
            )


def _read_config(metadata: Mapping[str, str], network_class: type[Network], source: Path) -> Any:
    name = metadata.get(NETWORK_KEY)
    if name != network_class.__name__:
        raise _reject(source, f"a {name} instead of a {network_class.__name__}")
    try:
        values = json.loads(metadata[CONFIG_KEY])
        values = {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}
        return network_class.config_class(**values)
    except (KeyError, TypeError, ValueError) as error:
        raise _reject(source, f"another version of {network_class.__name__}") from error


def _reject(path: Path, found: str) -> ModelRejected:
    return ModelRejected(f"{path.name} holds another network: {found}", model=path.stem)
