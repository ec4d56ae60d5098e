"""Who calls: the network address, by which the places in a queue are shared."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import unquote

_HOME_BITS: Final = 64
"""Prefix of an IPv6 address that one household or machine has for itself."""


def find_caller(peer: str) -> str:
    """Return the address of gRPC's ``peer``, without its port; an IPv6 address's network.

    What has no address, such as a Unix socket, is returned as it is.
    """
    kind, _, rest = unquote(peer).partition(":")
    if kind not in {"ipv4", "ipv6"}:
        return peer
    host = rest.rpartition(":")[0].strip("[]").partition("%")[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return peer
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _HOME_BITS), strict=False))
