"""`rapport up`, `status`, `logs`, `migrate` and `down`, as a user types them in a checkout of their own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil
import pytest

from shared.cli.report import COLUMNS
from shared.local.platform import Platform
from shared.local.processes import ProcessIdentity
from tests.architecture.repository import ROOT

SERVICES = ["ingest", "profile", "segmenter", "engagement", "metrics"]
PARTS = [
    *("kafka", "postgres", "ingest-gateway", "ingest", "ingest-admin", "profile", "profile-api"),
    *SERVICES[2:],
    "mailbox",
]
MAIN = "from shared.cli.main import main; main()"
RAPPORT = (sys.executable, "-c", MAIN)
# A shell starts what it puts in the background deaf to Ctrl-C, and a test run may well be that.
HEAR = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
INTERRUPTIBLE = (sys.executable, "-c", HEAR + MAIN)

pytestmark = pytest.mark.timeout(600)


class Checkout:
    """A folder that looks like a checkout, and what is typed there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pyproject.toml").touch()
        shutil.copytree(ROOT / "config", folder / "config")
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CRM_")}
        self._environment = {**kept, "PYTHONPATH": str(ROOT)}

    def rapport(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [*RAPPORT, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            env=self._environment,
            timeout=300,
        )
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*INTERRUPTIBLE, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=self.folder,
            env=self._environment,
        )

    def parts(self, *, code: int = 0) -> dict[str, dict[str, Any]]:
        found = json.loads(self.rapport("status", "--json", code=code).stdout)
        assert found["healthy"] is (code == 0)
        return {part["name"]: part for part in found["parts"]}

    def processes(self) -> list[Sequence[str]]:
        """List the command lines that name this checkout, other than what tests themselves run."""
        own = os.getpid()
        found = []
        for each in psutil.process_iter(["pid", "cmdline", "status"]):
            line = each.info["cmdline"] or []
            gone = each.info["status"] == psutil.STATUS_ZOMBIE
            if each.info["pid"] != own and not gone and any(str(self.folder) in argument for argument in line):
                found.append(line)
        return found


def posted(address: str, key: str, event: dict[str, Any]) -> Any:
    request = urllib.request.Request(
        f"http://{address}/v1/track",
        json.dumps(event).encode(),
        {"Content-Type": "application/json", "X-Write-Key": key},
    )
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as refused:
            if refused.code != 401:  # which it is until the gateway has heard of the key, within seconds
                raise


def page(address: str, name: str) -> str:
    with urllib.request.urlopen(f"http://{address}/{name}", timeout=10) as answer:
        text: str = answer.read().decode()
        return text


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    made = Checkout(tmp_path_factory.mktemp("checkout"))
    yield made
    platform = Platform(made.folder / ".rapport", made.folder / "config", environment={})
    platform.down()
    platform.stack.erase()


def test_before_anything_was_started_every_command_says_so(checkout: Checkout) -> None:
    parts = checkout.parts(code=1)
    assert list(parts) == PARTS
    assert not any(part["healthy"] or part["pid"] for part in parts.values())
    assert "Start them with `rapport up --only stack`" in checkout.rapport("migrate", code=1).stderr
    assert "`rapport up` starts it" in checkout.rapport("logs", "profile", code=1).stderr
    assert "Nothing runs here: start it with" in checkout.rapport("kpi", "show", "monthly_orders", code=1).stderr
    checkout.rapport("down")
    assert not (checkout.folder / ".rapport").exists()


def test_a_killed_up_leaves_nothing_that_down_does_not_find(checkout: Checkout) -> None:
    with checkout.begin("up") as starting:
        assert starting.stderr is not None
        # Killed while it starts processes one after the other: some are written down, one may not be.
        said = next(line for line in starting.stderr if line.startswith("Starting segmenter"))
        starting.kill()
    assert said
    assert any("services.ingest" in line for line in checkout.processes())
    checkout.rapport("down")
    assert checkout.processes() == []


def test_up_can_be_limited_to_the_two_servers(checkout: Checkout) -> None:
    started = json.loads(checkout.rapport("up", "--only", "stack", "--json").stdout)
    assert ([part["name"] for part in started["parts"]], started["healthy"]) == (["kafka", "postgres"], True)
    assert not any("-m" in line and "services.ingest" in line for line in checkout.processes())


def test_up_starts_everything_and_status_names_it(checkout: Checkout) -> None:
    started = checkout.rapport("up", "--json")
    assert json.loads(started.stdout)["healthy"] is True
    assert "Waiting for metrics" in started.stderr
    parts = checkout.parts()
    assert list(parts) == PARTS
    assert len({part["pid"] for part in parts.values()}) == len(PARTS)
    for name in PARTS:
        assert parts[name]["address"].startswith("127.0.0.1:")
    versions = {name: parts[name]["version"] for name in PARTS}
    assert versions["kafka"] == "4.3.1"
    assert {versions[name] for name in ("ingest-gateway", *SERVICES)} == {"0.1.0"}
    table = checkout.rapport("status").stdout
    assert all(name in table for name in (*PARTS, *COLUMNS))
    again = json.loads(checkout.rapport("up", "--json").stdout)["parts"]
    assert {part["name"]: part["pid"] for part in again} == {name: parts[name]["pid"] for name in PARTS}


def test_up_says_where_events_are_taken_and_a_key_of_a_new_source_works_there(checkout: Checkout) -> None:
    address = checkout.parts()["ingest-gateway"]["address"]
    said = " ".join(checkout.rapport("up").stderr.split())
    assert f"Events are taken at http://{address}: `rapport ingest sources add NAME` makes a write key." in said
    made = json.loads(checkout.rapport("ingest", "sources", "add", "web-shop", "--kind", "web", "--json").stdout)
    event = {"event": "Signed Up", "userId": "u-1", "messageId": "m-1"}
    answer = posted(address, made["key"], event)
    assert answer == {"success": True, "accepted": 1, "quarantined": 0}
    shown: dict[str, Any] = {}
    while not shown.get("last_used_at"):  # written down within seconds
        (shown,) = json.loads(checkout.rapport("ingest", "sources", "list", "--json").stdout)
    assert shown["name"] == "web-shop"


def test_the_admin_api_takes_the_key_that_up_made_and_no_other(checkout: Checkout) -> None:
    address = checkout.parts()["ingest-admin"]["address"]
    said = " ".join(checkout.rapport("up").stderr.split())
    path = checkout.folder / ".rapport" / "secrets.json"
    assert f"The admin API is at http://{address}, its key is admin_key in {path}." in said
    key = json.loads(path.read_text("utf-8"))["admin_key"]
    asked = urllib.request.Request(f"http://{address}/sources", headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - as above
        assert [source["name"] for source in json.load(answer)["sources"]] == ["web-shop"]
    asked.add_header("Authorization", f"Bearer {key[:-1]}x")
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        urllib.request.urlopen(asked, timeout=10)  # noqa: S310 - as above
    refused.value.close()


def test_customers_are_read_at_an_address_that_up_tells_with_the_same_key(checkout: Checkout) -> None:
    address = checkout.parts()["profile-api"]["address"]
    assert f"Customers are read at http://{address}, with the same key." in checkout.rapport("up").stderr
    key = json.loads((checkout.folder / ".rapport" / "secrets.json").read_text("utf-8"))["admin_key"]
    url = f"http://{address}/customers/user_id:u-1"
    asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310 - our own address
        assert json.load(answer)["customer"]["identities"][0]["value"] == "u-1"


def test_a_paused_source_is_held_by_the_worker_and_replayed_when_it_is_resumed(checkout: Checkout) -> None:
    address = checkout.parts()["ingest-gateway"]["address"]
    made = json.loads(checkout.rapport("ingest", "sources", "rotate", "web-shop", "--json").stdout)
    checkout.rapport("ingest", "sources", "pause", "web-shop")
    held: list[Any] = []
    sent = 0
    while not held:  # the worker follows within seconds
        sent += 1
        posted(address, made["key"], {"event": "Signed In", "userId": "u-1", "messageId": f"held-{sent}"})
        held = json.loads(checkout.rapport("ingest", "quarantine", "list", "--json").stdout)
    assert {(entry["source"], entry["reason"]) for entry in held} == {("web-shop", "source_paused")}
    worker = checkout.parts()["ingest"]["address"]
    assert '{"name": "sources", "status": "ok"}' in page(worker, "readyz")
    while 'crm_ingest_source_paused{reason="operator",source="web-shop"} 1.0' not in page(worker, "metrics"):
        pass  # shown within seconds
    resumed = json.loads(checkout.rapport("ingest", "sources", "resume", "web-shop", "--json").stdout)
    assert resumed["was_paused_reason"] == "operator"
    (group,) = resumed["groups"]
    open_entries = resumed["held"]
    while open_entries:  # a worker that has not heard of it yet refuses again what is replayed, and 1 says so
        with checkout.begin("ingest", "quarantine", "replay", "--group", group) as replaying:
            said = replaying.communicate(timeout=120)
        assert replaying.returncode in {0, 1}, said
        open_entries = json.loads(checkout.rapport("ingest", "sources", "show", "web-shop", "--json").stdout)["held"]


def test_commands_find_the_stack_without_any_variable(checkout: Checkout) -> None:
    assert json.loads(checkout.rapport("kpi", "show", "monthly_orders", "--json").stdout)["rows"] == []
    assert json.loads(checkout.rapport("migrate", "--json").stdout)["topics_created"] == []
    assert '"action"' in checkout.rapport("logs", "metrics", "-n", "3").stdout


def test_a_service_that_died_is_named_and_started_again_at_its_address(checkout: Checkout) -> None:
    before = checkout.parts()["profile"]
    identity = ProcessIdentity.of(before["pid"])
    assert identity is not None
    identity.send(signal.SIGKILL)
    assert identity.wait_gone(10)
    assert checkout.parts(code=1)["profile"]["detail"] == "not running"
    checkout.rapport("up", "--json")
    after = checkout.parts()["profile"]
    assert after["pid"] != before["pid"]
    assert after["address"] == before["address"]


def test_following_a_log_ends_with_ctrl_c_and_without_a_trace(checkout: Checkout) -> None:
    with checkout.begin("logs", "metrics", "-f", "-n", "1") as following:
        assert following.stdout is not None
        assert following.stderr is not None
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        said = following.stderr.read()
    assert following.returncode == 130
    assert "Traceback" not in said


def test_after_down_no_process_of_ours_is_left_not_even_a_stopped_one(checkout: Checkout) -> None:
    identity = ProcessIdentity.of(checkout.parts()["ingest"]["pid"])
    assert identity is not None
    identity.send(signal.SIGSTOP)
    checkout.rapport("down")
    assert checkout.processes() == []
    assert not any(part["pid"] for part in checkout.parts(code=1).values())
