"""The end of a call that waits: a method of an object in a replica of Ray Serve.

A call is an ordinary, blocking one, for the threads in which the pipeline runs. Functions among the
arguments are called here while the work goes on there; if one raises, the work is stopped. Other
arguments, and what is returned, pass through Ray's object store, from which the processes of a
machine read arrays without copies of their own.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

import ray
import structlog
from ray import serve
from ray.exceptions import RayError, RayTaskError
from ray.serve.exceptions import RayServeException

from inference_service.cluster.messages import Alive, Callback, Called, Message, Raised, Returned
from inference_service.errors import ERRORS, Internal, QueueFull

ATTEMPTS: Final = 3
"""A call whose replica dies is repeated: the work has no effects but what it returns."""
RETRY_AFTER_S: Final = 30.0

_log = structlog.get_logger()


class Remote:
    """An object in the replicas of a Serve application; each of its methods can be called.

    Parameters
    ----------
    application : str
    """

    def __init__(self, application: str) -> None:
        self.application = application

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method and return what it returns.

        Raises
        ------
        NotabotError
            What the method raised, or what one of the functions raised here.
        QueueFull
            If the replicas that did the work died, or none is to be had.
        """
        passed = [
            Callback(place) if callable(argument) else argument
            for place, argument in enumerate(arguments)
        ]
        reference = ray.put(passed)
        for attempt in range(ATTEMPTS):
            try:
                return self._call_once(method, reference, arguments)
            except RayTaskError:  # raised by the method itself
                raise
            except (RayError, RayServeException) as error:
                _log.warning(
                    "call_failed",
                    application=self.application,
                    method=method,
                    attempt=attempt,
                    reason=type(error).__name__,
                )
        raise QueueFull(
            f"no replica of {self.application} has done its work", retry_after_s=RETRY_AFTER_S
        )

    def _call_once(
        self, method: str, reference: ray.ObjectRef[Any], arguments: tuple[object, ...]
    ) -> Any:
        handle = serve.get_app_handle(self.application)
        stream = handle.options(stream=True).call.remote(method, [reference])
        try:
            return _follow(cast("Iterator[Message]", stream), arguments)
        except BaseException:
            stream.cancel()
            raise


def _follow(messages: Iterator[Message], arguments: tuple[object, ...]) -> Any:
    for message in messages:
        match message:
            case Called(place, given):
                arguments[place](*given)  # type: ignore[operator]
            case Returned([reference]):
                return ray.get(reference)
            case Raised(code, cause, params):
                raise ERRORS.get(code, Internal)(cause, **params)
            case Alive():
                continue
    raise RayError("a call ended without an outcome")
