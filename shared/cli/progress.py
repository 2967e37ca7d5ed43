"""Progress on standard error: a line that moves for people, plain lines for logs."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console

from shared.local.status import Notify


@contextmanager
def progress(console: Console | None = None) -> Iterator[Notify]:
    """Show each step as it begins and, on a terminal, how long the one before it took."""
    shown = Console(stderr=True, highlight=False) if console is None else console
    if not shown.is_terminal:
        yield lambda text: shown.print(text, markup=False, soft_wrap=True)
        return
    steps: list[tuple[str, float]] = []
    with shown.status("…") as status:

        def notify(text: str) -> None:
            done()
            steps.append((text, time.monotonic()))
            status.update(text)

        def done() -> None:
            if steps:
                text, began = steps[-1]
                shown.print(f"  {text.rstrip(' …')}  [dim]{time.monotonic() - began:.1f} s[/dim]")

        yield notify
        done()
