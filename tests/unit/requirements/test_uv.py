"""uv is sent to the same index, with the same certificates and time-outs, as pip."""

import runpy
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import cast

SCRIPT = runpy.run_path(str(Path(__file__).parents[3] / "requirements" / "uv.py"))
pip_settings = cast(Callable[[Iterable[str]], dict[str, str]], SCRIPT["pip_settings"])
uv_environment = cast(Callable[[Mapping[str, str], Mapping[str, str]], dict[str, str]], SCRIPT["uv_environment"])
uv_arguments = cast(Callable[[Mapping[str, str], list[str]], list[str]], SCRIPT["uv_arguments"])


def test_a_variable_wins_over_a_file() -> None:
    lines = [":env:.index-url='https://by-variable.example/simple'", "global.index-url='https://by-file.example/'"]
    assert pip_settings(lines) == {"index-url": "https://by-variable.example/simple"}


def test_what_is_said_to_pip_install_wins_over_what_is_said_to_all_of_pip() -> None:
    assert pip_settings(["install.timeout='9'", "global.timeout='5'"]) == {"timeout": "9"}


def test_lines_that_are_not_settings_are_ignored() -> None:
    assert pip_settings(["", "WARNING: something", "download.timeout='3'"]) == {}


def test_uv_hears_of_indexes_certificates_and_time_outs() -> None:
    settings = {
        "index-url": "https://mirror.example/simple",
        "extra-index-url": "https://one.example https://two.example",
        "trusted-host": "mirror.example",
        "default-timeout": "180",
        "cert": "/etc/ssl/ours.crt",
    }
    assert uv_environment(settings, {}) == {
        "UV_DEFAULT_INDEX": "https://mirror.example/simple",
        "UV_INDEX": "https://one.example https://two.example",
        "UV_INSECURE_HOST": "mirror.example",
        "UV_HTTP_TIMEOUT": "180",
        "SSL_CERT_FILE": "/etc/ssl/ours.crt",
    }


def test_what_the_environment_already_says_to_uv_stays() -> None:
    settings = {"index-url": "https://mirror.example/simple"}
    assert uv_environment(settings, {"UV_DEFAULT_INDEX": "https://chosen.example"}) == {}


def test_a_folder_of_links_that_does_not_exist_is_left_out(tmp_path: Path) -> None:
    settings = {"find-links": f"{tmp_path} {tmp_path / 'absent'} https://links.example"}
    assert uv_environment(settings, {}) == {"UV_FIND_LINKS": f"{tmp_path},https://links.example"}


def test_a_machine_without_pip_settings_changes_nothing() -> None:
    assert uv_environment(pip_settings([]), {}) == {}
    assert uv_arguments({}, ["pip", "install", "-e", "."]) == ["pip", "install", "-e", "."]


def test_a_machine_that_asks_no_index_tells_uv_so() -> None:
    assert uv_arguments({"no-index": "yes"}, ["pip", "install", "x"]) == ["pip", "install", "--no-index", "x"]
    assert uv_arguments({"no-index": "0"}, ["pip", "install", "x"]) == ["pip", "install", "x"]
