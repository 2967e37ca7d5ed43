"""Definitions on disk: one YAML file a segment, in one folder."""

from collections.abc import Sequence
from pathlib import Path

from services.segmenter.domain.definitions import Definition, FaultyDefinitionsError, read_all
from shared.runtime.errors import FatalError
from shared.runtime.faults import Fault
from shared.runtime.marked_yaml import LARGEST_BYTES


class WrongDefinitionsError(FatalError):
    """The segment definitions can't be used; the text names each fault."""


def read_files(paths: Sequence[Path]) -> dict[str, tuple[Definition, str]]:
    """Read definitions with their sources, by segment.

    Raises:
        FaultyDefinitionsError: names each thing that is wrong in each file.
    """
    contents: list[tuple[str, bytes]] = []
    faults: list[Fault] = []
    for path in paths:
        # A file's name is any bytes; what it is called in a fault must be text.
        name = str(path).encode("utf-8", "backslashreplace").decode()
        try:
            with path.open("rb") as file:
                contents.append((name, file.read(LARGEST_BYTES + 1)))
        except (OSError, ValueError) as error:
            why = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
            faults.append(Fault(name, 1, "file", "a file that can be read", why.lower()))
    try:
        definitions = read_all(contents)
    except FaultyDefinitionsError as faulty:
        faults += faulty.faults
    if faults:
        raise FaultyDefinitionsError(faults)
    # With no fault, each file gave one definition.
    pairs = zip(definitions, contents, strict=True)
    return {definition.segment: (definition, content.decode("utf-8-sig")) for definition, (_, content) in pairs}


def read_folder(folder: Path) -> dict[str, tuple[Definition, str]]:
    """Read every `*.yaml` and `*.yml` of a folder.

    Raises:
        WrongDefinitionsError: there is no such folder, none in it (an empty folder is far more likely a wrong path than
            the wish to end every segment), or one is faulty.
    """
    paths = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")]) if folder.is_dir() else []
    if not paths:
        raise WrongDefinitionsError(
            f"no segment definitions (*.yaml) in {folder}: set CRM_SEGMENTER_DEFINITIONS_DIR to their folder"
        )
    try:
        return read_files(paths)
    except FaultyDefinitionsError as faulty:
        raise WrongDefinitionsError(f"the segment definitions are wrong:\n{faulty}") from None
