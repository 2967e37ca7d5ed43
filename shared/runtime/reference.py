"""The reference pages, written from the code: `python -m shared.runtime.reference write`."""

import importlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from shared.contracts.compatibility import Change, Verdict, changes, worst
from shared.contracts.topics import REGISTRY
from shared.runtime.asyncapi import asyncapi_reference
from shared.runtime.golden_messages import golden_messages
from shared.runtime.message_schemas import schema_files, types_of, written
from shared.runtime.metric_reference import metrics_reference
from shared.runtime.settings_reference import modules_called, settings_modules, settings_of, settings_reference
from shared.runtime.topic_reference import topics_reference

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDER = CHECKOUT / "docs" / "reference"
GOLDEN = CHECKOUT / "tests" / "golden"

WRITE = "python -m shared.runtime.reference write"
USAGE = """\
usage: python -m shared.runtime.reference write
       python -m shared.runtime.reference settings | metrics | topics | asyncapi
       python -m shared.runtime.reference message TOPIC | payload FAMILY | openapi NAME
"""

_FORMS = ("{}.md", "{}.yaml")
_NAMED = {"message": "messages/{}.json", "payload": "payloads/{}.json", "openapi": "openapi-{}.json"}


def pages() -> dict[str, Callable[[], str]]:
    """Name every page, by its path below `docs/reference`, with what writes it.

    Needs a checkout, for the examples. An API of a service has a page if its package has a module `openapi` with a
    function `description`.
    """
    schemas = {name: (lambda found=schema: written(found)) for name, schema in schema_files().items()}
    return {
        "settings.md": lambda: settings_reference(settings_of(settings_modules())),
        "metrics.md": metrics_reference,
        "topics.md": topics_reference,
        "asyncapi.yaml": lambda: asyncapi_reference(golden_messages(GOLDEN, REGISTRY)),
        **{_openapi(module): _description_of(module) for module in modules_called("openapi")},
        **schemas,
    }


def schema_changes(folder: Path = FOLDER) -> dict[str, list[Change]]:
    """Compare each schema that was published in a folder with what the code says now, as far as they differ."""
    found = {}
    for name, schema in schema_files().items():
        if (folder / name).exists():
            published = json.loads((folder / name).read_text("utf-8"))
            found[name] = changes(published, schema, types_of(name))
    return {name: listed for name, listed in found.items() if listed}


def in_words(found: Mapping[str, Sequence[Change]]) -> str:
    """Write changes as lines, each with the file that it is in."""
    return "".join(f"{name}: {change}\n" for name, listed in found.items() for change in listed)


def write(folder: Path = FOLDER) -> int:
    """Write every page anew, unless a schema that was published would be broken: then nothing, and exit code 1."""
    found = schema_changes(folder)
    sys.stderr.write(in_words(found))
    if worst(found) is Verdict.BREAKING:
        sys.stderr.write("nothing was written: who reads these messages relies on what was published\n")
        return 1
    for name, render in pages().items():
        there, text = folder / name, render()
        if not there.exists() or there.read_text("utf-8") != text:
            there.parent.mkdir(parents=True, exist_ok=True)
            there.write_text(text, "utf-8")
            sys.stdout.write(f"{name}\n")
    return 0


def main(arguments: Sequence[str]) -> int:
    """Print one page, or write them all; exit code 2 when asked for another."""
    match arguments:
        case ["write"]:
            return write()
        case [name]:
            asked = [form.format(name) for form in _FORMS]
        case [kind, name] if kind in _NAMED:
            asked = [_NAMED[kind].format(name)]
        case _:
            asked = []
    known = pages()
    for page in asked:
        if page in known:
            sys.stdout.write(known[page]())
            return 0
    sys.stderr.write(USAGE)
    return 2


def _openapi(module: str) -> str:
    """Name the page of an API by the package that serves it: `services.ingest.admin.openapi` is `ingest-admin`."""
    return _NAMED["openapi"].format("-".join(module.split(".")[1:-1]))


def _description_of(module: str) -> Callable[[], str]:
    def describe() -> str:
        text: str = importlib.import_module(module).description()
        return text

    return describe


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
