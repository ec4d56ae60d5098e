"""An S3 server in this process."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.request import Request, urlopen

from moto.server import ThreadedMotoServer

BUCKET = "results"


@contextmanager
def run_s3() -> Iterator[dict[str, str]]:
    """Run a server with an empty bucket; yields the environment by which it is found."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        urlopen(Request(f"http://{host}:{port}/{BUCKET}", method="PUT")).close()
        yield find_s3(port)
    finally:
        server.stop()


def find_s3(port: int) -> dict[str, str]:
    """Return the environment by which a server on this machine is found."""
    return {
        "AWS_ACCESS_KEY_ID": "somebody",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": "us-east-1",
        "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
        "AWS_ALLOW_HTTP": "true",
    }
