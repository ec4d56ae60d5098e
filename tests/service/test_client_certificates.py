"""Callers who must show a certificate: the bot, the command line and the health check."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from bot.client.calls import ServiceClient
from bot.errors import ServiceError
from inference_service.errors import NotabotError
from inference_service.server.client import Client
from inference_service.settings import Settings
from tests.service.running import HeldPipeline, run_service
from tests.service.test_healthcheck import check

ADMIN_TOKEN = "for-administrators"


@dataclass(frozen=True)
class Pair:
    """A certificate chain and its key, in files."""

    chain: Path
    key: Path

    @property
    def paths(self) -> tuple[Path, Path]:
        return self.chain, self.key


def issue(authority: trustme.CA, name: str, folder: Path) -> Pair:
    issued = authority.issue_cert(name)
    pair = Pair(folder / f"{name}.pem", folder / f"{name}.key")
    for blob in issued.cert_chain_pems:
        blob.write_to_path(pair.chain, append=True)
    issued.private_key_pem.write_to_path(pair.key)
    return pair


@dataclass(frozen=True)
class Demanding:
    """A service that demands a certificate, and the certificates."""

    port: int
    authority: Path
    own: Pair
    caller: Pair
    stranger: Pair

    def bot(self, pair: Pair | None) -> ServiceClient:
        return ServiceClient(
            f"localhost:{self.port}",
            admin_token=ADMIN_TOKEN,
            tls_ca_path=self.authority,
            tls_pair_paths=None if pair is None else pair.paths,
        )


@pytest.fixture
async def demanding(build: Callable[..., Settings], tmp_path: Path) -> AsyncIterator[Demanding]:
    """A service that demands certificates of its own authority."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    own = issue(authority, "localhost", tmp_path)
    caller = issue(authority, "bot", tmp_path)
    stranger = issue(trustme.CA(), "stranger", tmp_path)
    server = {
        "tls_cert": own.chain,
        "tls_key": own.key,
        "tls_client_ca": tmp_path / "ca.pem",
        "admin_token": ADMIN_TOKEN,
    }
    settings = build(server=server)
    async with run_service(settings, use_cases=HeldPipeline(settings)) as running:
        yield Demanding(running.service.port, tmp_path / "ca.pem", own, caller, stranger)


async def test_the_bot_shows_its_certificate(demanding: Demanding) -> None:
    async with demanding.bot(demanding.caller) as client:
        assert (await client.status(request_id="1")).ready


@pytest.mark.parametrize("shown", ["none", "stranger"])
async def test_without_a_certificate_nobody_is_heard(demanding: Demanding, shown: str) -> None:
    pair = demanding.stranger if shown == "stranger" else None
    async with demanding.bot(pair) as client:
        with pytest.raises(ServiceError, match="SERVICE_UNREACHABLE"):
            await client.status(request_id="1")
    credentials = grpc.ssl_channel_credentials(
        demanding.authority.read_bytes(),
        *(() if pair is None else (pair.key.read_bytes(), pair.chain.read_bytes())),
    )
    async with grpc.aio.secure_channel(f"localhost:{demanding.port}", credentials) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.Check(health_pb2.HealthCheckRequest(), timeout=2)


async def test_the_command_line_shows_a_certificate(demanding: Demanding) -> None:
    address = f"localhost:{demanding.port}"

    def list_models(pair: tuple[Path, Path] | None) -> int:
        with Client(address, ADMIN_TOKEN, demanding.authority, pair) as client:
            return len(client.list_models())

    assert await asyncio.to_thread(list_models, demanding.caller.paths) > 0
    with pytest.raises(NotabotError):
        await asyncio.to_thread(list_models, None)


async def test_the_health_check_shows_the_services_own_certificate(demanding: Demanding) -> None:
    own = demanding.own
    assert await check(demanding.port, own.chain, own.key, demanding.authority) == (0, "")
    assert (await check(demanding.port, own.chain))[0] == 1


async def test_a_client_authority_needs_tls(build: Callable[..., Settings]) -> None:
    with pytest.raises(ValueError, match="tls_client_ca needs"):
        build(server={"tls_client_ca": "ca.pem"})
