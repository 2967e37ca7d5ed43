"""A program under test: started as a process of its own, its output awaited line by line."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import shared

DEADLINE_SECONDS = 30.0
_PACKAGES = Path(shared.__file__).parents[1]


@dataclass
class Program:
    """A running program with its output in one file."""

    process: "subprocess.Popen[bytes]"
    output: Path

    def text(self) -> str:
        """Return what it wrote until now."""
        return self.output.read_text("utf-8")

    def wait_for(self, words: str) -> None:
        """Wait until it wrote these words, or fail with all that it wrote."""
        ends = time.monotonic() + DEADLINE_SECONDS
        while words not in self.text():
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.text()}"
            assert time.monotonic() < ends, f"no {words!r} in:\n{self.text()}"
            time.sleep(0.02)

    def lines(self) -> list[dict[str, Any]]:
        """Return its log lines."""
        return [json.loads(line) for line in self.text().splitlines() if line.startswith("{")]

    def actions(self) -> list[str]:
        """Return the actions of its log lines."""
        return [line.get("action", "") for line in self.lines()]

    def url(self) -> str:
        """Return the address of its pages."""
        self.wait_for("pages.listen")
        return next(str(line["url"]) for line in self.lines() if line.get("action") == "pages.listen")

    def get(self, path: str) -> tuple[int, str]:
        """Ask one of its pages: status and text."""
        try:
            with urllib.request.urlopen(self.url() + path, timeout=5) as answer:  # noqa: S310 - our own local address
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def state(self) -> str:
        """Return the kernel's letter for its state: R, S, or T when stopped."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text("utf-8")
        return stat.rsplit(")", 1)[1].split()[0]


@contextmanager
def running(script: Path, *arguments: str, output: Path, environment: Mapping[str, str]) -> Iterator[Program]:
    """Start a Python file with warnings as errors, in an empty folder; kill what is left of it at the end."""
    folder = output.parent / "cwd"
    folder.mkdir()
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-W", "error", str(script), *arguments],
            cwd=folder,
            stdout=stream,
            stderr=subprocess.STDOUT,
            # The very packages under test, also when these are a copy of the checkout.
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(_PACKAGES), **environment},
        )
    program = Program(process, output)
    try:
        yield program
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
