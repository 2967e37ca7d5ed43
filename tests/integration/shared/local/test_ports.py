"""Free ports."""

import os
import socket

from shared.local.ports import answers, free_ports, holder, is_free


def test_free_ports_differ_and_lie_below_those_that_clients_are_given() -> None:
    ports = free_ports(8)
    assert len(set(ports)) == 8
    with socket.create_server(("127.0.0.1", 0)) as server:  # the system picks from its range for clients
        lowest_ephemeral = 32768 if server.getsockname()[1] < 49152 else 49152
    assert max(ports) < lowest_ephemeral


def test_a_port_that_somebody_listens_on_is_not_free_and_its_holder_is_named() -> None:
    (port,) = free_ports(1)
    assert is_free(port)
    assert not answers(port)
    with socket.create_server(("127.0.0.1", port)):
        assert not is_free(port)
        assert answers(port)
        assert str(os.getpid()) in holder(port)
    assert is_free(port)
