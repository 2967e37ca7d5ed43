"""Run uv with the index, certificates and time-outs that pip is configured with on this machine.

pip reads PIP_* variables and its own files, uv neither. A checkout that names no package registry of its own
needs both to look in the same place: wherever the machine's owner said.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

_SETTING = re.compile(r"^(?P<section>[^.]*)\.(?P<key>[a-z-]+)='(?P<value>.*)'$")
_TRUE = frozenset({"1", "true", "yes", "on"})


def pip_settings(lines: Iterable[str]) -> dict[str, str]:
    """Read what `pip config list` prints.

    A variable (section `:env:`) wins over a file's `[install]`, and that over its `[global]`, as in pip.
    Lines that are not settings are ignored.
    """
    rank = {"global": 0, "install": 1, ":env:": 2}
    found = [match for line in lines if (match := _SETTING.match(line.strip())) and match["section"] in rank]
    return {m["key"]: m["value"] for m in sorted(found, key=lambda m: rank[m["section"]])}


def uv_environment(settings: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Translate pip's settings to uv's variables.

    What the environment already says to uv stays. Folders of links that do not exist are left out: pip
    warns about them, uv refuses.
    """
    links = [link for link in settings.get("find-links", "").split() if "://" in link or Path(link).is_dir()]
    said = {
        "UV_DEFAULT_INDEX": settings.get("index-url", ""),
        "UV_INDEX": " ".join(settings.get("extra-index-url", "").split()),
        "UV_FIND_LINKS": ",".join(links),
        "UV_INSECURE_HOST": " ".join(settings.get("trusted-host", "").split()),
        "UV_HTTP_TIMEOUT": settings.get("timeout", settings.get("default-timeout", "")),
        "SSL_CERT_FILE": settings.get("cert", ""),
        "HTTPS_PROXY": settings.get("proxy", ""),
    }
    return {name: value for name, value in said.items() if value and name not in environment}


def uv_arguments(settings: Mapping[str, str], arguments: list[str]) -> list[str]:
    """Add what uv reads from its command line only: that no index is to be asked."""
    offline = settings.get("no-index", "").lower() in _TRUE and arguments[:1] == ["pip"]
    return [*arguments[:2], "--no-index", *arguments[2:]] if offline else arguments


def main(arguments: list[str]) -> int:
    """Run uv on this interpreter's environment and return its exit code."""
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    prefix = Path(sys.prefix)
    settings = pip_settings(listed.stdout.splitlines())
    environment = {**os.environ, **uv_environment(settings, os.environ), "VIRTUAL_ENV": str(prefix)}
    command = [str(prefix / "bin" / "uv"), *uv_arguments(settings, arguments)]
    return subprocess.run(command, env=environment, check=False).returncode  # noqa: S603 - the Makefile's own words


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
