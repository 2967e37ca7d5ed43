"""Where a checkout keeps what it runs, and what people are told that is."""

from pathlib import Path

from shared.local import roots


def test_a_checkout_s_own_stack_and_that_of_its_demo_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    assert roots.title(roots.own(tmp_path, environment={})) == str(tmp_path)
    assert roots.title(roots.demo(tmp_path, environment={})) == f"the demo of {tmp_path}"
