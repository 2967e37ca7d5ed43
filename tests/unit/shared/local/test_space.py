"""Where files go and whether there is room."""

from pathlib import Path

import pytest

from shared.local.errors import DiskFullError
from shared.local.space import cache_folder, require_space


def test_the_cache_is_where_its_variable_says() -> None:
    assert cache_folder({"CRM_CACHE_DIR": "/c", "XDG_CACHE_HOME": "/x"}) == Path("/c")


def test_else_the_cache_is_in_the_users_folder_of_caches() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "/x"}) == Path("/x/rapport")
    assert cache_folder({}) == Path.home() / ".cache" / "rapport"


def test_a_relative_folder_of_caches_is_ignored_as_its_specification_says() -> None:
    assert cache_folder({"XDG_CACHE_HOME": "x"}) == Path.home() / ".cache" / "rapport"


def test_too_little_space_is_found_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(DiskFullError):
        require_space(tmp_path / "not" / "yet", needed=2**60)
    require_space(tmp_path / "not" / "yet", needed=1)
