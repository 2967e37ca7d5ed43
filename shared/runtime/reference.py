"""The reference pages, written from the code: `python -m shared.runtime.reference PAGE`."""

import importlib
import importlib.util
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from shared.contracts.topics import REGISTRY
from shared.runtime.metric_catalogue import CATALOGUE, Metric
from shared.runtime.settings import PREFIX, RuntimeSettings
from shared.runtime.topic_reference import message_schema, topics_reference

SETTINGS_HEAD = """\
# Settings

Every process reads environment variables once, at its start. `CRM_<SERVICE>_X` beats `CRM_X`: with `CRM_DATABASE_URL`
and `CRM_PROFILE_DATABASE_URL` set, profile takes the latter. An empty variable counts as unset. A wrong value ends the
process with code 2 and a text that names the variable and what was expected.

Written by `python -m shared.runtime.reference settings` from the code; edit the descriptions there.

## Every service
"""
METRICS_HEAD = """\
# Metrics

Each process serves its own at `/metrics`, in Prometheus' text format, beside the usual `process_*`. Base units, bounded
labels, never an id, an address or a URL as a label. The label `service` is the process's own.

Written by `python -m shared.runtime.reference metrics` from the catalogue; edit the help texts there.

| metric | kind | labels | meaning |
|---|---|---|---|
"""
TABLE_HEAD = """
| variable | type | default | meaning |
|---|---|---|---|
"""

_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def settings_reference(services: Iterable[type[RuntimeSettings]] = ()) -> str:
    """Render the settings of every service, then those that single services add."""
    parts = [SETTINGS_HEAD, _settings_table(PREFIX, RuntimeSettings.model_fields.items())]
    for kind in services:
        service = _CAPITAL.sub("_", kind.__name__.removesuffix("Settings")).lower()
        own = [(name, field) for name, field in kind.model_fields.items() if _is_own(kind, name)]
        if own:
            parts += [
                f"\n## {service.capitalize().replace('_', ' ')}\n",
                _settings_table(f"{PREFIX}{service.upper()}_", own),
            ]
    return "".join(parts)


def metrics_reference(metrics: Iterable[Metric] = CATALOGUE) -> str:
    """Render the catalogue of metrics."""
    return METRICS_HEAD + "".join(
        f"| `{metric.name}` | {metric.kind} | {_labels(metric)} | {_cell(metric.help)} |\n" for metric in metrics
    )


def settings_modules() -> list[str]:
    """Name the modules in which services define settings of their own."""
    # By name, not by import: nothing shared knows a service.
    spec = importlib.util.find_spec("services")
    folders = [Path(folder) for folder in spec.submodule_search_locations or []] if spec is not None else []
    found = [module.relative_to(folder.parent) for folder in folders for module in folder.glob("**/settings.py")]
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


def main(arguments: Sequence[str]) -> int:
    """Print one page; exit code 2 when asked for another."""
    match arguments:
        case ["settings"]:
            sys.stdout.write(settings_reference(settings_of(settings_modules())))
        case ["metrics"]:
            sys.stdout.write(metrics_reference())
        case ["topics"]:
            sys.stdout.write(topics_reference())
        case ["message", name] if schema := _schema_of(name):
            sys.stdout.write(schema)
        case _:
            sys.stderr.write("usage: python -m shared.runtime.reference settings | metrics | topics | message TOPIC\n")
            return 2
    return 0


def _schema_of(name: str) -> str | None:
    return next((message_schema(topic) for topic in REGISTRY if topic.name == name), None)


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


def _labels(metric: Metric) -> str:
    return ", ".join(
        f"{label.name} ({', '.join(label.values)})" if label.values else label.name for label in metric.labels
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
