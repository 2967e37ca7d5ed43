"""The subcommands that others bring: found by name, loaded only when one is chosen."""

import ast
import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import typer

GROUP = "rapport.commands"
"""Entry points of this group are subcommands: `kpi = "services.metrics.cli:app"`."""

DEMO = EntryPoint("demo", "shared.demo.cli:app", GROUP)
"""A leaf like we are, so neither imports the other; it is named here and loaded like the services' own."""


class BrokenCommandError(Exception):
    """A subcommand cannot be loaded; the others can."""

    def __init__(self, name: str, target: str, why: str) -> None:
        super().__init__(
            f"`rapport {name}` can't be loaded from {target}: {why}. The other commands work; "
            "install the package again (`make setup`) if you did not change it."
        )


@dataclass(frozen=True, slots=True)
class Subcommand:
    """One subcommand: its name, and where its typer app is (`module:attribute`)."""

    name: str
    target: str

    @property
    def help(self) -> str:
        """Return the first sentence of its module's docstring, read without running any of it."""
        try:
            return summary(self.target.partition(":")[0])
        except (ImportError, OSError, SyntaxError, ValueError) as error:
            return f"Can't be loaded ({type(error).__name__})."

    def load(self) -> typer.Typer:
        """Import it.

        Raises:
            BrokenCommandError: that failed, whatever the reason, or there is no typer app.
        """
        module, _, attribute = self.target.partition(":")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except Exception as error:
            raise BrokenCommandError(self.name, self.target, f"{type(error).__name__}: {error}") from error
        if not isinstance(found, typer.Typer):
            raise BrokenCommandError(self.name, self.target, f"expected a typer app, found {type(found).__name__}")
        return found


def subcommands(found: Iterable[EntryPoint] | None = None) -> Mapping[str, Subcommand]:
    """List what is installed, by name; the first of a name wins."""
    points = list(entry_points(group=GROUP) if found is None else found)
    return {point.name: Subcommand(point.name, point.value) for point in (DEMO, *reversed(points))}


def summary(module: str) -> str:
    """Read what a module's docstring says first, without `rapport name: ` before it; nothing of it is executed.

    Raises:
        ImportError: there is no such module.
        OSError, SyntaxError, ValueError: its source can't be read.
    """
    text = ast.get_docstring(ast.parse(_source(module).read_bytes())) or ""
    first = text.partition("\n")[0]
    said = first.rpartition("`: ")[2].strip()
    return said[:1].upper() + said[1:]


def _source(module: str) -> Path:
    top, *rest = module.split(".")
    spec = importlib.util.find_spec(top)
    name = top
    for part in rest:
        # Not find_spec of the whole name: that would import the packages on the way.
        name = f"{name}.{part}"
        inside = None if spec is None else spec.submodule_search_locations
        spec = None if inside is None else PathFinder.find_spec(name, list(inside))
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    return Path(spec.origin)
