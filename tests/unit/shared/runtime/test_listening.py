import socket

import pytest

from shared.runtime.listening import PortTakenError, listen, url_of


def test_a_free_port_is_taken() -> None:
    with listen("127.0.0.1", 0, "CRM_WEB_PORT") as taken:
        port = taken.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            assert url_of(taken.getsockname()) == f"http://127.0.0.1:{port}"


def test_a_port_that_is_taken_is_refused_with_the_setting_that_moves_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTakenError, match=f":{port} .* set CRM_WEB_PORT to a free port, or to 0 for any"):
            listen("127.0.0.1", port, "CRM_WEB_PORT")


def test_an_address_with_colons_stands_in_brackets() -> None:
    assert url_of(("::1", 8080)) == "http://[::1]:8080"


def test_no_part_of_an_answer_waits_for_the_client_to_acknowledge_another() -> None:
    with listen("127.0.0.1", 0, "CRM_WEB_PORT") as taken, socket.create_connection(taken.getsockname()):
        accepted, _ = taken.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
