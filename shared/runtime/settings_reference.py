"""The reference of settings, written from the classes that read them."""

import importlib
import importlib.util
import re
from collections.abc import Iterable
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.runtime.settings import PREFIX, RuntimeSettings

HEAD = """\
# Settings

Every process reads environment variables once, at its start. `CRM_<SERVICE>_X` beats `CRM_X`: with `CRM_DATABASE_URL`
and `CRM_PROFILE_DATABASE_URL` set, profile takes the latter. An empty variable counts as unset. A wrong value ends the
process with code 2 and a text that names the variable and what was expected.

Written by `python -m shared.runtime.reference settings` from the code; edit the descriptions there.

## Every service
"""
TABLE_HEAD = """
| variable | type | default | meaning |
|---|---|---|---|
"""

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def settings_reference(services: Iterable[type[RuntimeSettings]] = ()) -> str:
    """Render the settings of every service, then those that single services add."""
    parts = [HEAD, _settings_table(PREFIX, RuntimeSettings.model_fields.items())]
    for kind in services:
        service = _CAPITAL.sub("_", kind.__name__.removesuffix("Settings")).lower()
        own = [(name, field) for name, field in kind.model_fields.items() if _is_own(kind, name)]
        if own:
            parts += [
                f"\n## {service.capitalize().replace('_', ' ')}\n",
                _settings_table(f"{PREFIX}{service.upper()}_", own),
            ]
    return "".join(parts)


def settings_modules() -> list[str]:
    """Name the modules in which services define settings of their own."""
    return modules_called("settings")


def modules_called(name: str) -> list[str]:
    """Name the modules of services that are called so."""
    # By name, not by import: nothing shared knows a service.
    spec = importlib.util.find_spec("services")
    folders = [Path(folder) for folder in spec.submodule_search_locations or []] if spec is not None else []
    found = [module.relative_to(folder.parent) for folder in folders for module in folder.glob(f"**/{name}.py")]
    return sorted(".".join(module.with_suffix("").parts) for module in found)


def settings_of(modules: Iterable[str]) -> list[type[RuntimeSettings]]:
    """Find the settings that these modules define themselves, in the given order."""
    found = []
    for name in modules:
        module = importlib.import_module(name)
        found += [
            kind
            for kind in vars(module).values()
            if isinstance(kind, type) and issubclass(kind, RuntimeSettings) and kind.__module__ == name
        ]
    return found


def _is_own(kind: type[RuntimeSettings], name: str) -> bool:
    inherited = RuntimeSettings.model_fields.get(name)
    field = kind.model_fields[name]
    return inherited is None or _described(inherited) != _described(field)


def _described(field: FieldInfo) -> tuple[str, str, str]:
    return _type(field), _default(field), field.description or ""


def _settings_table(prefix: str, fields: Iterable[tuple[str, FieldInfo]]) -> str:
    return TABLE_HEAD + "".join(
        f"| `{prefix}{name.upper()}` | {_type(field)} | {_default(field)} | {_cell(field.description or '')} |\n"
        for name, field in fields
    )


_WORDS: dict[object, str] = {
    SecretStr: "secret",
    bool: "true or false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
}


def _type(field: FieldInfo) -> str:
    kind: Any = field.annotation
    if get_origin(kind) in (Union, UnionType):
        kind = next(part for part in get_args(kind) if part is not type(None))
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if get_origin(kind) is Literal:
        return " or ".join(str(value) for value in get_args(kind))
    return _WORDS.get(kind, "JSON")


def _default(field: FieldInfo) -> str:
    if field.default is PydanticUndefined:
        return "required" if field.default_factory is None else "computed"
    if isinstance(field.default, SecretStr):
        return "not shown"
    return "" if field.default is None else f"`{field.default}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
