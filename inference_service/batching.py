"""Windows run through a network in batches, which the recordings of several threads share.

A stage cuts a recording into windows and passes them to :meth:`Batches.run`. Windows of one
recording share a batch with each other, up to half of its size, and with those that other threads
are waiting to have run.

Nobody waits for company: a caller who finds the network idle runs at once. Callers who find it busy
wait; when it is idle again, one of them runs the next batch, with the windows of others that are
alike in shape and type, up to the size. So a single caller needs no thread beside its own and is
delayed by taking a lock, and with several callers batches grow as the device falls behind.

Callers with fewer windows left come first, so that a short recording does not wait for a long one.
A caller that has been passed over :data:`PATIENCE` times comes before all that have not, in order
of arrival. Of N threads, each therefore waits for at most ``PATIENCE + N - 1`` batches, one of
which may be running when it arrives. Meanwhile it reports nothing: a caller that is cancelled stops
once its windows have been run, and holds up nobody.

If a batch fails, its callers' windows are run apart, and an error is raised for the caller whose
windows cause it. A batch that does not fit into the device's memory is run window by window, and
batches are half as large from then on.

The sums of a batch may be rounded otherwise than those of a single window. With a size of 1,
the default on a CPU, windows are run one by one, in the caller's thread, without copies, and
several threads at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from inference_service.errors import drop_frames

PATIENCE: Final = 4
"""Number of batches that may begin before a caller's turn, while it is not the first in line."""

K = TypeVar("K")
Array: TypeAlias = NDArray[Any]
Apply: TypeAlias = Callable[..., Sequence[Tensor]]
"""Maps tensors on the device to tensors; windows are the first axis of each."""


@dataclass(eq=False, slots=True)
class _Call:
    """Windows of one caller, and what becomes of them.

    Attributes
    ----------
    inputs : list of torch.Tensor
    remaining : int
        Number of the caller's windows that have no results yet.
    passed : int
        Number of batches that have begun while the call waited.
    batch : list of _Call
        What its caller is to run, with itself; empty while it waits.
    woken : threading.Event
        Set when the call has a batch to run, or an outcome.
    """

    inputs: list[Tensor]
    remaining: int
    passed: int = 0
    batch: list[_Call] = field(default_factory=list)
    woken: threading.Event = field(default_factory=threading.Event)
    outputs: list[Tensor] | None = None
    error: BaseException | None = None

    @property
    def size(self) -> int:
        return len(self.inputs[0])

    @property
    def form(self) -> tuple[object, ...]:
        return tuple((tensor.shape[1:], tensor.dtype) for tensor in self.inputs)


class Batches:
    """Runs a network on windows, several at a time.

    Parameters
    ----------
    apply : callable
        The network, with whatever is computed on the device before and after it. Maps tensors, with
        windows as their first axis, to a sequence of such tensors. Each window's results depend on
        no other window. Called in inference mode, by one thread at a time if ``size`` is over 1.
    device : torch.device or str
        Where ``apply`` takes its inputs.
    size : int
        Largest number of windows in a batch.
    """

    def __init__(self, apply: Apply, device: torch.device | str = "cpu", size: int = 1) -> None:
        self._apply = apply
        self._device = torch.device(device)
        self._is_shared = size > 1
        self._size = size
        self._lock = threading.Lock()
        self._is_busy = False
        self._waiting: list[_Call] = []

    @property
    def size(self) -> int:
        """Largest number of windows in a batch, which is less once the device's memory was full."""
        return self._size

    def run(
        self, pieces: Iterable[tuple[K, Sequence[Array]]], count: int
    ) -> Iterator[tuple[K, list[Array]]]:
        """Yield the results of a recording's windows, in order.

        Parameters
        ----------
        pieces : iterable of (K, sequence of np.ndarray)
            A name for each window, and the network's inputs for it, without an axis for windows.
            Read as results are asked for, up to half a batch ahead. May raise to stop.
        count : int
            Number of pieces.

        Yields
        ------
        K
        list of np.ndarray
            What the network returns for the window, in main memory.

        Raises
        ------
        Exception
            Any exception of the network's that this caller's windows cause.
        """
        done = 0
        for group in self._gather(pieces):
            inputs = [
                self._place(arrays) for arrays in zip(*(each for _, each in group), strict=True)
            ]
            outputs = self._call(inputs, count - done)
            done += len(group)
            for place, (name, _) in enumerate(group):
                yield name, [output[place].numpy() for output in outputs]

    def _gather(
        self, pieces: Iterable[tuple[K, Sequence[Array]]]
    ) -> Iterator[list[tuple[K, Sequence[Array]]]]:
        """Yield consecutive windows of the same shapes, up to half a batch of them."""
        group: list[tuple[K, Sequence[Array]]] = []
        for piece in pieces:
            if group and [a.shape for a in piece[1]] != [a.shape for a in group[0][1]]:
                yield group
                group = []
            group.append(piece)
            if len(group) >= self._size // 2:
                yield group
                group = []
        if group:
            yield group

    def _place(self, arrays: Sequence[Array]) -> Tensor:
        """Return arrays of equal shapes as one tensor on the device.

        Copies to a CUDA device are made from pinned memory: the caller does not wait for them, and
        they are made while other callers' results are being read and used.
        """
        whole = arrays[0][None] if len(arrays) == 1 else np.stack(arrays)
        tensor = torch.from_numpy(whole)
        if self._device.type == "cuda":
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)

    def _call(self, inputs: list[Tensor], remaining: int) -> list[Tensor]:
        """Return the results of windows, which are run at once or after others."""
        if not self._is_shared:
            return self._compute(inputs)
        call = _Call(inputs, remaining)
        with self._lock:
            if self._is_busy:
                self._waiting.append(call)
            else:
                self._is_busy = True
                call.batch = [call]
        if not call.batch:
            call.woken.wait()
        if call.batch:
            self._lead(call.batch)
        outputs, error = call.outputs, call.error
        if outputs is not None:
            return outputs
        try:
            raise error or RuntimeError("the thread that ran the batch was stopped")
        finally:
            del call, error  # an error refers to this frame, which is not to refer to the error

    def _lead(self, batch: list[_Call]) -> None:
        """Run a batch, then wake its callers and the one who runs the next."""
        try:
            self._run(batch)
        finally:
            for call in batch[1:]:
                call.woken.set()
            batch.clear()
            with self._lock:
                following = self._choose()
                self._is_busy = bool(following)
                for call in self._waiting:
                    call.passed += 1
            if following:
                following[0].batch = following
                following[0].woken.set()

    def _choose(self) -> list[_Call]:
        """Take the next batch from those who wait; its first call is the first in line."""
        in_line = sorted(
            self._waiting, key=lambda c: (0, 0) if c.passed >= PATIENCE else (1, c.remaining)
        )
        batch = in_line[:1]
        room = self._size - sum(call.size for call in batch)
        for call in in_line[1:]:
            if call.size <= room and call.form == batch[0].form:
                batch.append(call)
                room -= call.size
        self._waiting = [call for call in self._waiting if call not in batch]
        return batch

    def _run(self, batch: Sequence[_Call]) -> None:
        """Give each call of a batch its outputs or its error."""
        try:
            joined = batch[0].inputs
            if len(batch) > 1:
                joined = [
                    torch.cat(parts) for parts in zip(*(call.inputs for call in batch), strict=True)
                ]
            outputs = self._compute(joined)
        except Exception as error:
            failure = error
        else:
            start = 0
            for call in batch:
                call.outputs = [output[start : start + call.size] for output in outputs]
                start += call.size
            return
        is_full = isinstance(failure, torch.OutOfMemoryError)
        if len(batch) == 1 and not (is_full and batch[0].size > 1):
            batch[0].error = failure
            return
        joined = []
        drop_frames(failure)  # which hold what the network had computed
        del failure
        if is_full:
            self._size = max(1, self._size // 2)
            if self._device.type == "cuda":
                torch.cuda.empty_cache()
        for call in batch:
            self._run_apart(call, step=1 if is_full else call.size)

    def _run_apart(self, call: _Call, step: int) -> None:
        """Run the windows of one call, ``step`` at a time."""
        try:
            parts = [
                self._compute([tensor[start : start + step] for tensor in call.inputs])
                for start in range(0, call.size, step)
            ]
            call.outputs = [torch.cat(each) for each in zip(*parts, strict=True)]
        except Exception as error:
            call.error = error

    def _compute(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Return the network's outputs in main memory, for which the device is waited for."""
        with torch.inference_mode():
            return [output.cpu() for output in self._apply(*inputs)]
