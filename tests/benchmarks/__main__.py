"""`make bench`: all subjects in turn on one broker and database, medians, ratios to the bare Faust fold."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg
from rich.console import Console
from rich.table import Table

from shared.contracts.topics import REGISTRY
from shared.local.stack import StackAddresses
from shared.local.temporary import temporary_stack
from tests.benchmarks import gateway, hop, pipeline
from tests.benchmarks.bare_fold import totals
from tests.benchmarks.baskets import BASKETS, CENTS, HOUSEHOLDS, MissingBasketsError, baskets, raw_events
from tests.benchmarks.measured import Measured
from tests.benchmarks.servers import database, recreate

LANES = 4
GOAL = 3.0
GATEWAY_GOAL = 0.5
GATEWAY_SECONDS = 8.0
CONFIG = Path(__file__).parents[2] / "config"
PROFILE, PLAIN, FAUST, PIPELINE = (
    "profile, full hop",
    "bare fold, aiokafka + psycopg",
    "bare fold, Faust agent take(5000)",
    "whole pipeline, five services",
)

console = Console(stderr=True, highlight=False)


class WrongResultError(Exception):
    """A subject was fast and wrong, so its speed means nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each subject, in turn (the pipeline runs once)")
    arguments = parser.parse_args()
    try:
        found = baskets()
    except MissingBasketsError as error:
        console.print(str(error))
        return 1
    if (len(found), len({b.household for b in found}), sum(b.cents for b in found)) != (BASKETS, HOUSEHOLDS, CENTS):
        raise WrongResultError("the data is not the published one")
    events = list(raw_events(found, LANES))
    with tempfile.TemporaryDirectory(prefix="bench-") as name, temporary_stack(Path(name) / "stack") as servers:
        addresses = servers.addresses()
        assert addresses is not None
        folder = Path(name)
        recreate(addresses.kafka, REGISTRY, LANES)
        console.print(f"{len(events):,} baskets on Kafka and PostgreSQL, {LANES} partitions")
        # First the pipeline: what it leaves on the topics is what the other subjects read.
        results = {PIPELINE: [said(PIPELINE, pipeline.measure(addresses, events, folder / "run", CONFIG))]}
        for round_ in range(arguments.rounds):
            subjects: dict[str, Callable[[], Measured]] = {
                FAUST: lambda: _bare("faust_fold", addresses, round_),  # noqa: B023 - called in this very round
                PROFILE: lambda: hop.measure(addresses, LANES, round_, folder),  # noqa: B023 - as above
                PLAIN: lambda: _bare("plain_fold", addresses, round_),  # noqa: B023 - as above
            }
            for subject, measure in subjects.items():
                results.setdefault(subject, []).append(said(subject, measure()))
        # Last: the topic of raw events is made anew for it.
        answers = [
            said_of_gateway(gateway.measure(addresses, events, LANES, folder, GATEWAY_SECONDS))
            for _ in range(arguments.rounds)
        ]
    _report(results, answers, as_json=arguments.json)
    return 0


def said(subject: str, measured: Measured) -> Measured:
    console.print(f"  {subject}: {measured.per_second / 1000:.1f} k/s, {measured.cpu_us:.0f} us CPU an event")
    return measured


def said_of_gateway(rates: gateway.Rates) -> gateway.Rates:
    console.print(f"  gateway: {rates.gateway:.0f} durable answers/s, bare frame {rates.frame:.0f}/s")
    return rates


def _bare(module: str, addresses: StackAddresses, round_: int) -> Measured:
    with database(addresses.database_url, f"bench_{module}_{round_}") as url:
        table = f"fold_{round_}"
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", addresses.kafka, url, table, str(BASKETS)]
        ended = subprocess.run([*command, str(LANES)], capture_output=True, text=True, check=True, timeout=300)
        with psycopg.connect(url) as connection:
            if totals(connection, table) != (BASKETS, CENTS):
                raise WrongResultError(f"{module} found {totals(connection, table)}")
    return Measured(**json.loads(ended.stdout.splitlines()[-1]))


def _median(results: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(figure(measured) for measured in results)


def _report(results: dict[str, list[Measured]], answers: Sequence[gateway.Rates], *, as_json: bool) -> None:
    faust = _median(results[FAUST], lambda measured: measured.per_second)
    rows: dict[str, dict[str, Any]] = {
        subject: {
            "events_per_second": round(_median(runs, lambda measured: measured.per_second)),
            "best": round(max(measured.per_second for measured in runs)),
            "ratio_to_faust": round(_median(runs, lambda measured: measured.per_second) / faust, 2),
            "cpu_us": round(_median(runs, lambda measured: measured.cpu_us), 1),
            "rss_mb": round(_median(runs, lambda measured: measured.rss_mb)),
            "phases_us": runs[-1].phases_us,
            "runs": [asdict(measured) for measured in runs],
        }
        for subject, runs in results.items()
    }
    rows["gateway"] = {
        "durable_answers_per_second": round(statistics.median(rates.gateway for rates in answers)),
        "bare_frame_per_second": round(statistics.median(rates.frame for rates in answers)),
        "ratio_to_frame": round(statistics.median(rates.ratio for rates in answers), 2),
        "p99_ms_at_half_load": statistics.median(rates.p99_ms for rates in answers),
        "cpu_us_an_answer": round(statistics.median(rates.cpu_us for rates in answers)),
        "runs": [asdict(rates) for rates in answers],
    }
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2) + "\n")
    out = Console(stderr=as_json, highlight=False)
    table = Table(
        title="Throughput, one worker each; ratios to the bare Faust fold of the same run", title_justify="left"
    )
    for column in ("subject", "k/s median", "best", "x Faust", "CPU us", "RSS MB", "us an event by phase"):
        table.add_column(column)
    for subject, row in rows.items():
        if subject == "gateway":
            continue
        phases = "  ".join(f"{phase} {us}" for phase, us in row["phases_us"].items())
        table.add_row(
            subject,
            f"{row['events_per_second'] / 1000:.1f}",
            f"{row['best'] / 1000:.1f}",
            f"{row['ratio_to_faust']:.2f}",
            str(row["cpu_us"]),
            str(row["rss_mb"]),
            phases,
        )
    out.print(table)
    ratio = rows[PROFILE]["ratio_to_faust"]
    out.print(f"Goal: the full hop at {GOAL:g} x the bare Faust fold or more; found {ratio} x.")
    row = rows["gateway"]
    out.print(
        f"Gateway, {gateway.EVENTS} events a request: {row['durable_answers_per_second']} durable answers/s, "
        f"p99 {row['p99_ms_at_half_load']:g} ms at half load; bare frame {row['bare_frame_per_second']} answers/s. "
        f"Goal: {GATEWAY_GOAL:g} x of it or more; found {row['ratio_to_frame']} x."
    )


if __name__ == "__main__":
    sys.exit(main())
