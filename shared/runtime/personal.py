"""A value about a person, wrapped so that printing it by accident shows nothing."""

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, repr=False)
class Personal(Generic[T]):
    """Wrap an address, a name, an identifier: equal by value, invisible in text, logs and tracebacks.

    Who really needs the value asks for it with `reveal()`, which is easy to find in review.
    """

    _value: T

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __repr__(self) -> str:
        return "[personal]"

    def __str__(self) -> str:
        return "[personal]"

    def __format__(self, spec: str) -> str:
        return "[personal]"
