"""Liquid templates within limits: neither a campaign nor a customer's data can take our time or memory.

Liquid's own limits bound loops, nesting, variables and output, and none of its filters: `replace` and `join` multiply
what they are given, and a range can be longer than any memory. So each filter is weighed before it runs.
"""

from collections.abc import Callable, Mapping, Sized
from enum import Enum
from functools import wraps
from typing import Any, ClassVar

from liquid import Environment
from liquid.exceptions import LiquidError, UndefinedError
from liquid.template import BoundTemplate
from liquid.undefined import FalsyStrictUndefined

MOST_OUTPUT_BYTES = 200_000
MOST_LOOPS = 1_000
MOST_LOCAL_BYTES = 100_000
MOST_NESTING = 10
MOST_FILTER_INPUT = 100_000

_MULTIPLY = frozenset({"replace", "replace_first", "replace_last", "join"})


class Escaping(Enum):
    """What the output is: values are escaped for HTML, or stand as they are in text."""

    TEXT = "text"
    HTML = "html"


class TemplateError(ValueError):
    """A template cannot be read or rendered; the text names the place and the variable, never a value."""


class _Missing(FalsyStrictUndefined):
    """A variable that is not there: false in a condition, replaced by `default`, an error anywhere else."""

    force_liquid_default = True


class _TextEnvironment(Environment):
    block_nesting_limit: ClassVar[int] = MOST_NESTING
    context_depth_limit: ClassVar[int] = MOST_NESTING
    loop_iteration_limit: ClassVar[int | None] = MOST_LOOPS
    local_namespace_limit: ClassVar[int | None] = MOST_LOCAL_BYTES
    output_stream_limit: ClassVar[int | None] = MOST_OUTPUT_BYTES

    def __init__(self, *, autoescape: bool) -> None:
        super().__init__(undefined=_Missing, autoescape=autoescape)
        # Other files and raw HTML have no place in a message; a decoder would undo the escaping.
        for tag in ("include", "render"):
            del self.tags[tag]
        for name in ("safe", "base64_decode", "base64_url_safe_decode", "escapejs"):
            del self.filters[name]
        self.filters.update({name: _weighed(name, apply) for name, apply in self.filters.items()})


class Template:
    """One parsed template; rendering it is pure.

    Raises:
        TemplateError: the source is not Liquid as we allow it.
    """

    __slots__ = ("_parsed", "source")

    def __init__(self, source: str, escaping: Escaping = Escaping.TEXT) -> None:
        self.source = source
        try:
            self._parsed: BoundTemplate = _ENVIRONMENTS[escaping].from_string(source)
        except LiquidError as error:
            raise TemplateError(_explain(error)) from None

    def render(self, values: Mapping[str, Any]) -> str:
        """Fill in values.

        Raises:
            TemplateError: a variable is missing, a filter was misused, or a limit was reached.
        """
        try:
            return self._parsed.render(**values)
        except LiquidError as error:
            raise TemplateError(_explain(error)) from None
        except (ArithmeticError, LookupError, TypeError, ValueError, RecursionError) as error:
            # A filter met a value it was not made for; what it says may quote the value.
            raise TemplateError(f"a filter failed ({type(error).__name__})") from None


def _weighed(name: str, apply: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(apply)
    def weigh(*given: Any, **named: Any) -> Any:
        sizes = [len(value) for value in given if isinstance(value, Sized) and not isinstance(value, _Missing)]
        weight = sum(sizes)
        if name in _MULTIPLY:
            weight = 1
            for size in sizes:
                weight *= size + 1
        if weight > MOST_FILTER_INPUT:
            raise LiquidError(f"{name} is given too much", token=None)
        return apply(*given, **named)

    return weigh


def _explain(error: LiquidError) -> str:
    # The long form quotes the template with the place marked; a log line or a table wants one line.
    line = ""
    if error.token is not None and error.token.start_index >= 0:
        line = f"line {error.token.source.count(chr(10), 0, error.token.start_index) + 1}: "
    message = error.args[0] if error.args and isinstance(error.args[0], str) else type(error).__name__
    if isinstance(error, UndefinedError):
        return f"{line}{message}"
    return f"{line}{' '.join(message.split())}"


_ENVIRONMENTS = {
    Escaping.TEXT: _TextEnvironment(autoescape=False),
    Escaping.HTML: _TextEnvironment(autoescape=True),
}
