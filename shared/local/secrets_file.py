"""Secrets of a local stack: made once, kept in a file that only its owner reads."""

import json
import secrets
from pathlib import Path

from shared.local.errors import BrokenStateError
from shared.local.state import StateFile, write_whole


class SecretsFile:
    """`secrets.json` of a root, mode 0600."""

    def __init__(self, root: Path) -> None:
        self._path = root / "secrets.json"
        self._state = StateFile(root)

    def get(self, name: str) -> str:
        """Return the secret of that name: 48 hexadecimal digits, made at the first time of asking."""
        known = self._read()
        if name not in known:
            with self._state.exclusively():
                known = self._read()
                if name not in known:
                    known[name] = secrets.token_hex(24)
                    write_whole(self._path, json.dumps(known, indent=2), mode=0o600)
        return known[name]

    def _read(self) -> dict[str, str]:
        try:
            known = json.loads(self._path.read_text())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise BrokenStateError(self._path) from error
        if not isinstance(known, dict) or not all(isinstance(value, str) for value in known.values()):
            raise BrokenStateError(self._path)
        return known
