"""`make bench`: all subjects in turn on one broker and database, medians, ratios to the bare folds of others."""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg
from rich.console import Console

from shared.contracts.topics import REGISTRY
from shared.local.stack import Stack, StackAddresses
from shared.local.temporary import temporary_stack
from tests.benchmarks import cold, gateway, hop, interactions, pipeline, rebuild, record_read
from tests.benchmarks.bare_fold import totals
from tests.benchmarks.baskets import (
    BASKETS,
    CENTS,
    HOUSEHOLDS,
    Basket,
    MissingBasketsError,
    baskets,
    raw_events,
    together,
)
from tests.benchmarks.measured import Measured
from tests.benchmarks.report import FAUST, LINKED, MERGING, PIPELINE, PLAIN, PROFILE, QUIX, report
from tests.benchmarks.rows import Bench, Measure, Row
from tests.benchmarks.servers import database, recreate

LANES = 4
GATEWAY_SECONDS = 8.0
ROOT = Path(__file__).parents[2]
QUIX_PYTHON = Path(sys.prefix) / "quix" / "bin" / "python"
CUSTOMERS = (10_000, 100_000, 1_000_000)
FOLDS = {
    FAUST: (Path(sys.executable), "faust_fold"),
    QUIX: (QUIX_PYTHON, "quix_fold"),
    PLAIN: (Path(sys.executable), "plain_fold"),
}
HOPS = {PROFILE: interactions.apart, LINKED: together, MERGING: interactions.merging}
ROWS: Sequence[Measure] = (cold.measure, rebuild.measure, record_read.measure)
"""Rows of their own beside the throughput table, in the order in which they are measured."""

console = Console(stderr=True, highlight=False)


class WrongResultError(Exception):
    """A subject was fast and wrong, so its speed means nothing."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object on standard output")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each subject, in turn (the pipeline runs once)")
    parser.add_argument(
        "--customers", type=_sizes, default=CUSTOMERS, help="how many customers are in the tables, by commas"
    )
    arguments = parser.parse_args()
    try:
        found = baskets()
    except MissingBasketsError as error:
        console.print(str(error))
        return 1
    if (len(found), len({b.household for b in found}), sum(b.cents for b in found)) != (BASKETS, HOUSEHOLDS, CENTS):
        raise WrongResultError("the data is not the published one")
    with tempfile.TemporaryDirectory(prefix="bench-") as name, temporary_stack(Path(name) / "stack") as servers:
        results, answers, rows = _measure_all(servers, found, Path(name), arguments.rounds, arguments.customers)
    report(results, answers, rows, as_json=arguments.json)
    return 0


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(size) for size in text.split(",")))


def _measure_all(
    servers: Stack, found: Sequence[Basket], folder: Path, rounds: int, customers: Sequence[int]
) -> tuple[dict[str, list[Measured]], list[gateway.Rates], list[Row]]:
    addresses = servers.addresses()
    assert addresses is not None
    recreate(addresses.kafka, REGISTRY, LANES)
    events = list(raw_events(found, LANES))
    console.print(f"{len(events):,} baskets on Kafka and PostgreSQL, {LANES} partitions")
    # First the pipeline: the raw events that it leaves are what the bare folds read.
    results = {PIPELINE: [_said(PIPELINE, pipeline.measure(addresses, events, folder / "run", ROOT / "config"))]}
    for number, (subject, named) in enumerate(HOPS.items()):
        interactions.publish(addresses, interactions.interactions(found, named, LANES), LANES)
        for round_ in range(rounds):
            # In turn with the first of the hops: whatever slows the machine down for a while slows all of them.
            for fold, (python, module) in FOLDS.items() if subject == PROFILE else ():
                results.setdefault(fold, []).append(_said(fold, _bare(python, module, addresses, round_)))
            measured = hop.measure(addresses, LANES, f"{number}_{round_}", folder, hop.Orders(BASKETS, CENTS))
            results.setdefault(subject, []).append(_said(subject, measured))
    # The topic of raw events is made anew for it.
    answers = [_frames(gateway.measure(addresses, events, LANES, folder, GATEWAY_SECONDS)) for _ in range(rounds)]
    bench = Bench(servers, addresses, folder, LANES, rounds, events, customers)
    rows = []
    for measure in ROWS:
        rows.append(measure(bench))
        console.print(f"  {rows[-1].lines[-1]}")
    return results, answers, rows


def _said(subject: str, measured: Measured) -> Measured:
    console.print(f"  {subject}: {measured.per_second / 1000:.1f} k/s, {measured.cpu_us:.0f} us CPU an event")
    return measured


def _frames(rates: gateway.Rates) -> gateway.Rates:
    console.print(f"  gateway: {rates.gateway:.0f} durable answers/s, bare frame {rates.frame:.0f}/s")
    return rates


def _bare(python: Path, module: str, addresses: StackAddresses, round_: int) -> Measured:
    with database(addresses.database_url, f"bench_{module}_{round_}") as url:
        table = f"fold_{round_}"
        command = [str(python), "-m", f"tests.benchmarks.{module}", addresses.kafka, url, table, str(BASKETS)]
        ended = subprocess.run(
            [*command, str(LANES)], capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
        )
        if ended.returncode != 0:
            raise WrongResultError(f"{module} ended with {ended.returncode}: {ended.stderr[-2000:]}")
        with psycopg.connect(url) as connection:
            if totals(connection, table) != (BASKETS, CENTS):
                raise WrongResultError(f"{module} found {totals(connection, table)}")
    return Measured(**json.loads(ended.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
