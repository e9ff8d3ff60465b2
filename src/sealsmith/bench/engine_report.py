"""The engine suite's figures as JSON and Markdown, with what must stand beside them."""

from dataclasses import asdict, dataclass
from typing import Any

from .engine_arms import Terms
from .engine_figures import (
    CEILING,
    DETERMINISTIC,
    OURS,
    ArrivalFigures,
    Exactness,
    Latencies,
    Ratio,
    WorkloadFigures,
    together,
)
from .report import machine_words, markdown_table
from .scale_figures import ScaleFigures, scale_tables

WORDS = {
    "base": "stock, bare base in batches, no seals",
    "load_unload": "stock, `load_lora_weights`, `unload_lora_weights`",
    "fuse": "stock, `fuse_lora`, `unfuse_lora`",
    "hotswap": "stock, `load_lora_weights(hotswap=True)`",
    "set_adapters": "stock, `set_adapters`",
    "loop": "stock, one batch, a loop over its adapters",
    OURS: "our engine",
    CEILING: "our engine, one seal for all, merged before",
    DETERMINISTIC: "our engine, deterministic",
}


@dataclass(frozen=True)
class EngineReport:
    """Everything that one run of the suite found."""

    workloads: tuple[WorkloadFigures, ...]
    """The first is the one that stands on top."""
    arrivals: tuple[ArrivalFigures, ...]
    scale: ScaleFigures | None
    terms: Terms
    machine: dict[str, str | int]
    commit: str | None
    command: str

    @property
    def exactness(self) -> Exactness:
        """Over all workloads."""
        return together([figures.exactness for figures in self.workloads])

    def to_dict(self) -> dict[str, Any]:
        top = self.workloads[0].to_dict()
        return {
            "command": self.command,
            "commit": self.commit,
            "machine": self.machine,
            "steps": self.terms.num_steps,
            "guidance": self.terms.guidance,
            "settings": asdict(self.terms.settings),
            "workload": top["workload"],
            "rounds": top["rounds"],
            "arms": top["arms"],
            "ratios": top["ratios"],
            "ratio_spreads": top["ratio_spreads"],
            "exactness": self.exactness.to_dict(),
            "workloads": [figures.to_dict() for figures in self.workloads],
            "arrivals": [figures.to_dict() for figures in self.arrivals],
            "scale": None if self.scale is None else self.scale.to_dict(),
        }


def engine_tables(report: EngineReport) -> str:
    """The report as Markdown: every arm of the first workload, then a line a workload, waiting, scale."""
    parts = [_arms(report.workloads[0])]
    if len(report.workloads) > 1:
        parts.append(_ratios(report))
    parts += [_arrivals(report)] if report.arrivals else []
    parts += scale_tables(report.scale) if report.scale is not None else []
    return "\n\n".join([*parts, _exactness(report), _circumstances(report)])


def _arms(figures: WorkloadFigures) -> str:
    rows = [["arm", "pictures a second", "slowest–fastest", "p50 of a burst", "p95", "ours to it"]]
    for name, arm in figures.arms.items():
        ratio = None if name == OURS else figures.ratio(name)
        low, high = arm.spread
        rows.append(
            [
                WORDS[name],
                f"{arm.median:.3g}",
                f"{low:.3g}–{high:.3g}",
                _seconds(arm.latencies.p50),
                _seconds(arm.latencies.p95),
                "" if ratio is None else _words(ratio),
            ]
        )
    workload = figures.workload
    return (
        f"{workload.name}: {workload.num_requests} requests at once, {figures.num_rounds} rounds; the seals change "
        f"{', '.join(workload.groups)}, {figures.seal_bytes / 2**20:.1f} MiB each in fp32 at most.\n\n"
        + markdown_table(rows)
    )


def _ratios(report: EngineReport) -> str:
    names = [name for name in WORDS if name not in (OURS, DETERMINISTIC)]
    rows = [["workload", "layers", "ours, pictures a second", *(f"to {name}" for name in names)]]
    for figures in report.workloads:
        rows.append(
            [
                figures.workload.name,
                ", ".join(figures.workload.groups),
                f"{figures.arms[OURS].median:.3g}",
                *(_words(figures.ratio(name)) for name in names),
            ]
        )
    return "Ours as a multiple of each arm, medians of rounds and their spread:\n\n" + markdown_table(rows)


def _arrivals(report: EngineReport) -> str:
    names = list(report.arrivals[0].arms)
    rows = [["requests", "gaps' CV", *(f"{name}, p50 / p95" for name in names)]]
    for figures in report.arrivals:
        rows.append(
            [
                f"{figures.rate:.2g} a second (of {figures.rate_of})",
                f"{figures.variation:g}",
                *(_waiting(figures.arms[name]) for name in names),
            ]
        )
    name = report.arrivals[0].workload.name
    return f"Seconds from a request to its picture, {name}, requests coming one by one:\n\n" + markdown_table(
        rows
    )


def _exactness(report: EngineReport) -> str:
    found = report.exactness
    equal = "the same bytes as alone" if found.byte_equal else "NOT the same bytes as alone"
    return (
        f"Exactness, {found.requests} requests: at most {found.max_abs_diff:.1e} from the plain path's picture "
        f"before rounding, {found.max_levels} of 255 levels after; deterministic, in company: {equal}."
    )


def _circumstances(report: EngineReport) -> str:
    terms = report.terms
    return (
        f"{terms.num_steps} steps, guidance {terms.guidance:g}, batches of up to {terms.at_once} pictures for all "
        "arms that can draw the requests in one. Ratios are medians over rounds in which all arms took turns.\n\n"
        f"{machine_words(report.machine, report.commit)}; `{report.command}`"
    )


def _words(ratio: Ratio) -> str:
    low, high = ratio.spread
    return f"{ratio.median:.2f} ({low:.2f}–{high:.2f})"


def _waiting(found: Latencies) -> str:
    return f"{_seconds(found.p50)} / {_seconds(found.p95)}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f} s"
