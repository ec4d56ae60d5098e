"""deploy/healthcheck.py against the server, with and without TLS."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from inference_service.settings import Settings
from tests.conftest import ROOT
from tests.service.running import HeldPipeline, free_port, run_service


async def check(
    port: int,
    certificate: Path | None = None,
    key: Path | None = None,
    client_ca: Path | None = None,
) -> tuple[int, str]:
    """Return the exit code and the complaint."""
    given = {"CERT": certificate, "KEY": key, "CLIENT_CA": client_ca}
    more = {f"NOTABOT_SERVER_TLS_{name}": str(path) for name, path in given.items() if path}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NOTABOT_SERVER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        ROOT / "deploy" / "healthcheck.py",
        f"127.0.0.1:{port}",
        env=kept | more,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, complaint.decode()


async def test_without_tls(build: Callable[..., Settings]) -> None:
    settings = build()
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
        assert await check(running.service.port) == (0, "")
    code, complaint = await check(free_port())
    assert (code, complaint.strip()) == (1, "UNAVAILABLE")


@pytest.mark.parametrize("name", ["service", "*.example.org", "127.0.0.1"])
async def test_with_tls(build: Callable[..., Settings], tmp_path: Path, name: str) -> None:
    """The certificate has the name by which the bot calls, and another authority's signature."""
    authority = trustme.CA()
    pair = authority.issue_cert(name)
    certificate, key, other = (tmp_path / f for f in ("service.pem", "service.key", "other.pem"))
    for blob in pair.cert_chain_pems:
        blob.write_to_path(certificate, append=True)
    pair.private_key_pem.write_to_path(key)
    trustme.CA().issue_cert("service").cert_chain_pems[0].write_to_path(other)
    settings = build(server={"tls_cert": str(certificate), "tls_key": str(key)})
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
        port = running.service.port
        assert await check(port, certificate) == (0, "")
        assert (await check(port, other))[0] == 1
        assert (await check(port))[0] == 1
        assert "Traceback" not in (await check(port, other))[1]
