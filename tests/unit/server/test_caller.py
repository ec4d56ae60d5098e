"""The address of a caller."""

from __future__ import annotations

import pytest

from inference_service.server.caller import find_caller


@pytest.mark.parametrize(
    ("peer", "caller"),
    [
        ("ipv4:192.0.2.7:5000", "192.0.2.7"),
        ("ipv6:%5B2001:db8:1:2:3:4:5:6%5D:5000", "2001:db8:1:2::/64"),
        ("ipv6:[2001:db8:1:2::9]:5001", "2001:db8:1:2::/64"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5000", "192.0.2.7"),
        ("ipv6:%5Bfe80::1%25eth0%5D:5000", "fe80::/64"),
        ("unix:/run/notabot", "unix:/run/notabot"),
        ("", ""),
    ],
)
def test_the_port_does_not_count(peer: str, caller: str) -> None:
    assert find_caller(peer) == caller
