"""Exit with 0 if the service at HOST:PORT reports SERVING.

python deploy/healthcheck.py HOST:PORT

Speaks TLS where the service does: NOTABOT_SERVER_TLS_CERT, if set, is the certificate to expect.
The check runs beside the service and may reach it by another name than the certificate's. Where
callers must show a certificate (NOTABOT_SERVER_TLS_CLIENT_CA), the check shows the service's own.
"""

from __future__ import annotations

import os
import socket
import ssl
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

TIMEOUT_S = 3.0


def main() -> int:
    """Query the standard health service; return the exit code."""
    try:
        with _connect(sys.argv[1], _read("CERT")) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            response = stub.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    except grpc.RpcError as error:
        print(error.code().name, file=sys.stderr)
        return 1
    except OSError as error:  # TLS's errors too
        print(error, file=sys.stderr)
        return 1
    return int(response.status != health_pb2.HealthCheckResponse.SERVING)


def _connect(address: str, certificate: str) -> grpc.Channel:
    if not certificate:
        return grpc.insecure_channel(address)
    chain = Path(certificate).read_bytes()
    own = (Path(_read("KEY")).read_bytes(), chain) if _read("CLIENT_CA") else ()
    options = (("grpc.ssl_target_name_override", _read_name(address, certificate)),)
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(chain, *own), options)


def _read(name: str) -> str:
    """Return one of the server's settings about TLS."""
    return os.environ.get(f"NOTABOT_SERVER_TLS_{name}", "")


def _read_name(address: str, certificate: str) -> str:
    """Return a name for which the server's certificate is valid; fails if it is another one."""
    context = ssl.create_default_context(cafile=certificate)
    context.check_hostname = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # the leaf itself is trusted
    context.set_alpn_protocols(["h2"])
    if _read("CLIENT_CA"):
        context.load_cert_chain(certificate, _read("KEY"))
    host, _, port = address.rpartition(":")
    with (
        socket.create_connection((host.strip("[]"), int(port)), TIMEOUT_S) as plain,
        context.wrap_socket(plain) as secure,
    ):
        names = (secure.getpeercert() or {}).get("subjectAltName", ())
    return next((str(name).replace("*", "any") for _, name in names), host)


if __name__ == "__main__":
    sys.exit(main())
