"""Which stack a command speaks to: what the environment names, else what runs in this checkout."""

import os
from collections.abc import MutableMapping
from pathlib import Path

ENOUGH = ("CRM_KAFKA_BOOTSTRAP_SERVERS", "CRM_DATABASE_URL", "CRM_IDENTITY_SECRET")
"""When all of these are set, nothing is looked up."""


def fill_environment(start: Path | None = None, environment: MutableMapping[str, str] | None = None) -> list[str]:
    """Set what is unset (or empty) to what runs in the checkout around `start`; returns the names that were set.

    Nothing happens where no stack was started, or where it does not run: the command then says what it misses.
    """
    variables = os.environ if environment is None else environment
    if all(variables.get(name) for name in ENOUGH):
        return []
    # Slow to import, and only needed here.
    from shared.local.errors import LocalStackError  # noqa: PLC0415 - as said above
    from shared.local.roots import FOLDER, active, checkout  # noqa: PLC0415 - as above

    folder = Path.cwd() if start is None else start
    if not (checkout(folder) / FOLDER).is_dir():
        return []
    try:
        running = active(folder, environment=dict(variables)).variables()
    except LocalStackError:
        # Say a state file that is half of one: `rapport status` is where that is told.
        return []
    unset = [name for name in running if not variables.get(name)]
    variables.update({name: running[name] for name in unset})
    return unset
