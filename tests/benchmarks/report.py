"""The tables of `make bench`: throughput as ratios to the bare folds of the same run, then a few lines for each row."""

import json
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks import gateway
from tests.benchmarks.measured import Measured
from tests.benchmarks.rows import Row

PROFILE, LINKED, MERGING, PLAIN, FAUST, QUIX, PIPELINE = (
    "profile, full hop",
    "profile, each customer of two identities",
    "profile, 0.1 % merges",
    "bare fold, aiokafka + psycopg",
    "bare fold, Faust agent take(5000)",
    "bare fold, QuixStreams batching sink",
    "whole pipeline, five services",
)
FAUST_GOAL, QUIX_GOAL = 3.0, 1.0
GATEWAY_GOAL = 0.5


def report(
    results: Mapping[str, Sequence[Measured]], answers: Sequence[gateway.Rates], rows: Sequence[Row], *, as_json: bool
) -> None:
    """Print all figures, for people and, if asked for, as one JSON object on standard output."""
    throughput = _throughput(results)
    frames = _frames(answers)
    if as_json:
        said = {**throughput, "gateway": frames, **{row.name: row.figures for row in rows}}
        sys.stdout.write(json.dumps(said, indent=2) + "\n")
    out = Console(stderr=as_json, highlight=False)
    out.print(_table(throughput))
    for other, name, goal in (("Faust", "ratio_to_faust", FAUST_GOAL), ("QuixStreams", "ratio_to_quix", QUIX_GOAL)):
        alone, linked, merging = (throughput[subject][name] for subject in (PROFILE, LINKED, MERGING))
        out.print(
            f"Goal: the full hop at {goal:g} x the bare {other} fold or more; found {alone} x, "
            f"{linked} x if each customer has two identities, {merging} x with merges."
        )
    out.print(
        f"Gateway, {gateway.EVENTS} events a request: {frames['durable_answers_per_second']} durable answers/s, "
        f"p99 {frames['p99_ms_at_half_load']:g} ms at half load; "
        f"bare frame {frames['bare_frame_per_second']} answers/s. "
        f"Goal: {GATEWAY_GOAL:g} x of it or more; found {frames['ratio_to_frame']} x."
    )
    for row in rows:
        for line in row.lines:
            out.print(line)


def _throughput(results: Mapping[str, Sequence[Measured]]) -> dict[str, dict[str, Any]]:
    speed = {subject: _median(runs, lambda measured: measured.per_second) for subject, runs in results.items()}
    return {
        subject: {
            "events_per_second": round(speed[subject]),
            "best": round(max(measured.per_second for measured in runs)),
            "ratio_to_faust": round(speed[subject] / speed[FAUST], 2),
            "ratio_to_quix": round(speed[subject] / speed[QUIX], 2),
            "cpu_us": round(_median(runs, lambda measured: measured.cpu_us), 1),
            "rss_mb": round(_median(runs, lambda measured: measured.rss_mb)),
            "phases_us": runs[-1].phases_us,
            "runs": [asdict(measured) for measured in runs],
        }
        for subject, runs in results.items()
    }


def _frames(answers: Sequence[gateway.Rates]) -> dict[str, Any]:
    return {
        "durable_answers_per_second": round(statistics.median(rates.gateway for rates in answers)),
        "bare_frame_per_second": round(statistics.median(rates.frame for rates in answers)),
        "ratio_to_frame": round(statistics.median(rates.ratio for rates in answers), 2),
        "p99_ms_at_half_load": statistics.median(rates.p99_ms for rates in answers),
        "cpu_us_an_answer": round(statistics.median(rates.cpu_us for rates in answers)),
        "runs": [asdict(rates) for rates in answers],
    }


def _median(results: Sequence[Measured], figure: Callable[[Measured], float]) -> float:
    return statistics.median(figure(measured) for measured in results)


def _table(rows: Mapping[str, Mapping[str, Any]]) -> Table:
    title = "Throughput, one worker each; ratios to the bare folds of the same run"
    table = Table(title=title, title_justify="left")
    for column in ("subject", "k/s median", "best", "x Faust", "x Quix", "CPU us", "RSS MB", "us an event by phase"):
        table.add_column(column)
    for subject, row in rows.items():
        table.add_row(
            subject,
            f"{row['events_per_second'] / 1000:.1f}",
            f"{row['best'] / 1000:.1f}",
            f"{row['ratio_to_faust']:.2f}",
            f"{row['ratio_to_quix']:.2f}",
            str(row["cpu_us"]),
            str(row["rss_mb"]),
            "  ".join(f"{phase} {us}" for phase, us in row["phases_us"].items()),
        )
    return table
