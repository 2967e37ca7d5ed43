import signal
import socket
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol
from uuid import uuid4

import pytest

from shared.local.stack import StackAddresses
from shared.runtime.topic_admin import TopicAdmin
from tests.integration.shared.runtime.programs import Program, running

SCRIPT = Path(__file__).with_name("shell_program.py")


class Start(Protocol):
    def __call__(self, behaviour: str, **environment: str) -> AbstractContextManager[Program]: ...


class PlainTopic:
    name = f"shell-{uuid4().hex[:8]}"

    def config(self) -> dict[str, str]:
        return {"cleanup.policy": "delete"}


@pytest.fixture(scope="module")
def topic(stack: StackAddresses) -> str:
    TopicAdmin(stack.kafka).create([PlainTopic()], 1, 1)
    return PlainTopic.name


@pytest.fixture
def start(stack: StackAddresses, topic: str, tmp_path: Path) -> Start:
    def start(behaviour: str, **environment: str) -> AbstractContextManager[Program]:
        fixed = {
            "CRM_KAFKA_BOOTSTRAP_SERVERS": stack.kafka,
            "CRM_DATABASE_URL": stack.database_url,
            "CRM_STOP_GRACE_SECONDS": "20",
            "CRM_DRAIN_SECONDS": "5",
        }
        return running(SCRIPT, behaviour, topic, output=tmp_path / "output", environment=fixed | environment)

    return start


def own_actions(program: Program) -> list[str]:
    return [action for action in program.actions() if action != "library.log"]


def port_of(server: socket.socket) -> str:
    return str(server.getsockname()[1])


def wait_until(condition: Callable[[], bool]) -> None:
    ends = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_a_service_in_order_within_two_seconds(start: Start, sent: signal.Signals) -> None:
    with start("run") as program:
        program.wait_for("reading")
        began = time.monotonic()
        program.process.send_signal(sent)
        assert program.process.wait(20) == 0
        assert time.monotonic() - began < 2
        words = [line for line in program.text().splitlines() if not line.startswith(("{", "pid"))]
        assert words == ["pool opened", "reading", "drained", "pool closed"]
        assert own_actions(program) == ["pages.listen", "stop.begin", "stop.end"]


def test_a_service_leaves_nothing_in_its_folder(start: Start) -> None:
    with start("run") as program:
        program.wait_for("reading")
        program.process.terminate()
        program.process.wait(20)
        assert list((program.output.parent / "cwd").iterdir()) == []


def test_the_pages_tell_metrics_and_health_and_nothing_else(start: Start) -> None:
    with start("run") as program:
        program.wait_for("reading")
        assert program.get("/livez") == (200, '{"status": "ok", "checks": [{"name": "loop", "status": "ok"}]}')
        status, text = program.get("/readyz")
        assert status == 200, text
        status, text = program.get("/metrics")
        assert status == 200
        assert 'crm_build_info{version="' in text
        for path in ("/", "/table/", "/router/", "/graph", "/stats/"):
            assert program.get(path)[0] == 404


def test_a_service_that_still_starts_is_alive_and_not_ready(start: Start) -> None:
    with start("hang-at-start") as program:
        program.wait_for("hanging at start")
        assert program.get("/livez")[0] == 200
        status, text = program.get("/readyz")
        assert status == 503
        assert '"reason": "not yet"' in text
        program.process.terminate()
        assert program.process.wait(20) == 0


def test_a_crash_in_a_task_stops_in_order_with_code_1_and_shows_no_value(start: Start) -> None:
    with start("crash") as program:
        assert program.process.wait(20) == 1
        assert "pool closed" in program.text()
        assert own_actions(program)[-1] == "stop.crash"
        assert program.lines()[-1]["error"] == "ValueError"
        assert "canary" not in program.text()


def test_an_error_at_start_ends_with_code_1_and_its_text(start: Start) -> None:
    with start("fail-at-start") as program:
        assert program.process.wait(20) == 1
        assert program.lines()[-1]["error_text"] == "the start was refused"


def test_an_error_while_composing_ends_with_code_1_and_no_stack(start: Start) -> None:
    with start("refuse") as program:
        assert program.process.wait(20) == 1
        (line,) = program.lines()
        assert line["error_text"] == "the schema is at another revision"
        assert "stack" not in line
        assert "Traceback" not in program.text()


def test_a_wrong_setting_ends_with_code_2_in_words(start: Start) -> None:
    with start("run", CRM_COUNTING_LANES="many") as program:
        assert program.process.wait(20) == 2
        assert "CRM_COUNTING_LANES: expected a whole number" in program.text()
        assert "Traceback" not in program.text()


def test_a_port_that_is_taken_ends_with_code_1_and_says_what_to_set(start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, start("run", CRM_WEB_PORT=port_of(taken)) as program:
        assert program.process.wait(20) == 1
        assert "set CRM_WEB_PORT to a free port" in program.lines()[-1]["error_text"]


@pytest.mark.parametrize("behaviour", ["hang-at-stop", "block", "block-in-c"])
def test_whatever_hangs_the_watchdog_ends_the_process_at_the_grace(start: Start, behaviour: str) -> None:
    with start(behaviour, CRM_STOP_GRACE_SECONDS="1", CRM_DRAIN_SECONDS="0.5") as program:
        program.wait_for("reading")
        began = time.monotonic()
        program.process.terminate()
        program.process.terminate()
        assert program.process.wait(20) == 1
        assert 1 <= time.monotonic() - began < 4
        assert own_actions(program)[-2:] == ["stop.begin", "stop.ended"]


def test_a_killed_failpoint_leaves_its_line_and_no_goodbye(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "fired"
    with start("run", CRM_FAILPOINTS="counting.after_poll=kill@5", CRM_FAILPOINTS_LOG=str(log)) as program:
        assert program.process.wait(20) == -signal.SIGKILL
        assert '"action": "kill@5"' in log.read_text("utf-8")
        assert "stop.begin" not in own_actions(program)


def test_a_stopped_failpoint_stands_still_and_goes_on(start: Start, tmp_path: Path) -> None:
    log = tmp_path / "fired"
    rule = "counting.after_poll=stop:1.5s@5"
    with start("run", CRM_FAILPOINTS=rule, CRM_FAILPOINTS_LOG=str(log)) as program:
        program.wait_for("reading")
        wait_until(lambda: program.state() == "T")
        assert '"action": "stop:1.5s@5"' in log.read_text("utf-8")
        wait_until(lambda: program.state() != "T")
        assert program.get("/livez")[0] == 200
        program.process.terminate()
        assert program.process.wait(20) == 0
