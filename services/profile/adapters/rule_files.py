"""The files by which an operator says who is one person and how far a relationship has come."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from services.profile.domain.identity_rules import FaultyRulesError, IdentityRules, read_rules
from services.profile.domain.lifecycle import FaultyStagesError, Stages, read_stages
from shared.runtime.errors import FatalError
from shared.runtime.marked_yaml import LARGEST_BYTES

T = TypeVar("T")


class WrongRulesError(FatalError):
    """A file of rules can't be used; the text names each fault with file and line."""


def identity_rules(path: Path) -> IdentityRules:
    """Read the identity rules.

    Raises:
        WrongRulesError: the file can't be read, or is faulty.
    """
    return _read(path, read_rules)


def lifecycle_stages(path: Path) -> Stages:
    """Read the stages of the lifecycle.

    Raises:
        WrongRulesError: the file can't be read, or is faulty.
    """
    return _read(path, read_stages)


def _read(path: Path, understand: Callable[[str, bytes], T]) -> T:
    # A file's name is any bytes; what it is called in a fault must be text.
    name = str(path).encode("utf-8", "backslashreplace").decode()
    try:
        with path.open("rb") as file:
            return understand(name, file.read(LARGEST_BYTES + 1))
    except (FaultyRulesError, FaultyStagesError) as faulty:
        raise WrongRulesError(str(faulty)) from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise WrongRulesError(f"{name}:1: file: expected a file that can be read, got {why}") from None
