"""What the soak found: figures beside their goals, as JSON and as Markdown."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Protocol

from .report import machine_words, markdown_table
from .soak_cold import MAX_COLD_COST, MAX_NOTICED, Cold, Probes
from .soak_exactness import LIMIT, Exactness, Traffic
from .soak_fairness import FLOOD, MAX_FLOOD_COST, Fairness, Latencies, Load, percentile
from .soak_memory import MAX_GROWTH, MAX_SEAL_COST, Cycle, Memory

MAX_SHOWN = 20
"""Failures that the page names; the JSON has all."""


@dataclass(frozen=True)
class Row:
    """One promise and what was found."""

    promise: str
    goal: str
    found: str
    is_met: bool | None
    """None: it was not measured, or there is no goal."""


class PromiseReport(Protocol):
    """What was run, where, and its promises."""

    @property
    def rows(self) -> list[Row]: ...
    @property
    def base(self) -> str: ...
    @property
    def seconds(self) -> float: ...
    @property
    def machine(self) -> dict[str, str | int]: ...
    @property
    def commit(self) -> str | None: ...
    @property
    def command(self) -> str: ...
    @property
    def is_met(self) -> bool: ...


def report_head(report: PromiseReport) -> dict[str, Any]:
    """What every report of promises says of itself, as JSON would give it."""
    return {
        "command": report.command,
        "commit": report.commit,
        "machine": report.machine,
        "base": report.base,
        "seconds": report.seconds,
        "is_met": report.is_met,
        "promises": [vars(row) for row in report.rows],
    }


def promise_page(report: PromiseReport, wrong: Sequence[str]) -> str:
    """The promises as Markdown, with where they were measured and the first of what went wrong."""
    where = machine_words(report.machine, report.commit)
    lines = [promise_table(report.rows), "", f"{report.base}, {report.seconds / 60:.0f} minutes; {where}"]
    lines.append(f"`{report.command}`")
    if wrong:
        lines += ["", *(f"- {each}" for each in wrong[:MAX_SHOWN])]
    return "\n".join(lines)


@dataclass(frozen=True)
class SoakReport:
    """All that one soak found."""

    base: str
    exactness: Exactness
    memory: Memory
    fairness: Fairness
    cold: Cold
    traffic: Traffic
    cycle: Cycle
    load: Load
    probes: Probes
    seconds: float
    machine: dict[str, str | int]
    commit: str | None
    command: str

    @property
    def rows(self) -> list[Row]:
        parts: tuple[Callable[[SoakReport], list[Row]], ...] = (_exact, _memory, _fair, _cold)
        return [row for part in parts for row in part(self)]

    @property
    def is_met(self) -> bool:
        """Whether nothing was found that breaks a promise; what the time did not suffice for is one broken."""
        return all(row.is_met is not False for row in self.rows)

    def to_dict(self) -> dict[str, Any]:
        return {
            **report_head(self),
            "exactness": self.exactness.to_dict(),
            "memory": self.memory.to_dict(),
            "fairness": self.fairness.to_dict(),
            "cold": self.cold.to_dict(),
        }


def promise_table(found: Sequence[Row]) -> str:
    """Promises beside what was found, as a Markdown table."""
    words = {True: "yes", False: "**no**", None: ""}
    rows: list[tuple[str, ...]] = [("promise", "goal", "found", "kept")]
    rows += [(row.promise, row.goal, row.found, words[row.is_met]) for row in found]
    return markdown_table(rows)


def soak_page(report: SoakReport) -> str:
    """The report as Markdown."""
    return promise_page(report, [*report.exactness.failures, *report.exactness.unsound])


def _exact(report: SoakReport) -> list[Row]:
    found, plan = report.exactness, report.traffic
    paths = ", ".join(f"{count} {path}" for path, count in sorted(found.paths.items()))
    loads = found.loads
    gone = len(found.seals_used) - found.resident_at_end
    return [
        Row(
            "requests, from tenants, with seals",
            f"{plan.num_requests}, {plan.num_tenants}, {plan.num_seals}",
            f"{found.num_requests} ({found.num_cancelled} cancelled), {plan.num_tenants}, "
            f"{len(found.seals_used)} of ranks {min(plan.ranks)} to {max(plan.ranks)}; steps: {paths}",
            found.num_requests >= plan.num_requests,
        ),
        Row(
            "seals come and go",
            "more than pool and memory hold",
            f"{gone} or more went from the pool, which held {found.resident_at_end}; loads: "
            f"{loads.get('memory', 0)} in memory, {loads.get('shared', 0)} on their way, "
            f"{loads.get('disk', 0)} from disk, {loads.get('store', 0)} from the store",
            found.has_churn,
        ),
        Row(
            "a picture equals `generate`'s",
            f"{LIMIT:g}, 1 level",
            f"{found.largest_difference:.2g}, {found.largest_levels} level(s), of {found.num_compared} pictures "
            f"and {found.num_compared_deterministic} deterministic ones; {len(found.failures)} failed",
            found.is_exact,
        ),
        Row(
            "`deterministic`: the bytes of the same order alone",
            "every one",
            f"{found.num_unequal_bytes} of {found.num_compared_deterministic} differ",
            found.is_same_bytes,
        ),
        Row(
            "`deterministic` costs",
            "",
            f"{_times(found.busy_cost)} the time of the same traffic, {_times(found.alone_cost)} that of a "
            f"picture drawn alone ({plan.max_rows} rows a pass)",
            None,
        ),
        Row(
            "pool, memory and disk are sound, nothing is kept that nobody uses",
            "after every round",
            f"{found.num_integrity_checks} checks, {len(found.unsound)} found something",
            found.is_sound,
        ),
    ]


def _memory(report: SoakReport) -> list[Row]:
    found, cycle = report.memory, report.cycle
    cost = "not measured" if found.pool_cost is None else f"{found.pool_cost:.3f}"
    worst = "" if found.worst_pool_cost is None else f", the costliest {found.worst_pool_cost:.3f}"
    growth = "not told by this system"
    if found.growth_mib is not None:
        growth = f"{found.growth_mib:+.1f} MiB of {found.samples_mib[-1]:.0f} over the last half"
    is_whole = found.num_seals >= cycle.num_seals
    return [
        Row(
            "a resident seal over its tensors",
            f"≤ {MAX_SEAL_COST:g}",
            f"{cost} over {found.num_resident} seals{worst}",
            found.is_small,
        ),
        Row(
            f"{cycle.num_seals} seals through a pool for {cycle.pool_seals}",
            f"resident memory grows ≤ {MAX_GROWTH:.0%}",
            f"{growth}; {found.num_seals} seals of {found.mean_seal_bytes / 2**20:.2f} MiB on average",
            found.is_flat if is_whole else False,
        ),
    ]


def _fair(report: SoakReport) -> list[Row]:
    found, num_runs = report.fairness, report.load.num_runs
    what = f"a tenant with {FLOOD} times the orders costs the others' p95"
    return [
        Row(
            f"{what}, on a full machine",
            f"≤ {MAX_FLOOD_COST:g} times",
            f"{_beside_flood(found.full)}; {found.num_runs} of {num_runs} runs",
            found.is_fair and found.num_runs >= num_runs,
        ),
        Row(f"the same on one used at {found.utilisation:.0%}", "", _beside_flood(found.not_full), None),
    ]


def _beside_flood(found: Latencies) -> str:
    flooded, calm = (percentile(values, 95) for values in (found.flooded, found.calm))
    return (
        f"{found.cost:.2f} times: {flooded:.3g} s, {calm:.3g} s without, {len(found.calm)} orders each; "
        f"{found.flooder_refused} of the flood's {found.flooder_sent} were refused"
    )


def _cold(report: SoakReport) -> list[Row]:
    found = report.cold
    low, high = found.others_interval
    is_whole = found.num_probes >= report.probes.num_each
    return [
        Row(
            "a cold seal costs its own picture",
            f"≤ {MAX_COLD_COST:.0%} of its time",
            f"{found.own_cost:+.1%} of {median(found.warm_alone_s):.3g} s alone, "
            f"{found.own_cost_beside:+.1%} of {median(found.warm_beside_s):.3g} s beside others; "
            f"{found.num_probes} of {report.probes.num_each} probes each",
            found.is_cheap and is_whole,
        ),
        Row(
            "and the others' steps, p95",
            f"≤ {MAX_NOTICED:g} times, to the interval's end",
            f"{found.others_ratio:.3f} times (95 %: {low:.3f} to {high:.3f})",
            found.is_unnoticed if is_whole else False,
        ),
    ]


def _times(costs: list[float]) -> str:
    return f"{median(costs):.2f} times" if costs else "not measured:"
