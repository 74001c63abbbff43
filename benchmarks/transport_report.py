"""Report of the runs of benchmarks/transport.py: medians, a Markdown table and a figure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from transport_figure import draw
from transport_instances import INSTANCES
from transport_solvers import SOLVERS

from pwgan.report.style import themed
from pwgan.runtime import atomic_write

MEASURED = ["build_seconds", "solve_seconds", "cpu_seconds", "wall_seconds", "peak_mb", "value"]
CASE = ["instance", "d", "n", "solver"]
RUN = ["instance", "d", "n", "solver", "repeat", "status", *MEASURED, "gap", "mean_cost"]
OURS = "pwgan"


def as_runs(rows: Iterable[Mapping[Any, Any]]) -> pd.DataFrame:
    """Make rows of the table of runs."""
    frame = pd.DataFrame(list(rows), columns=RUN)
    return frame.astype(dict.fromkeys([*MEASURED, "gap", "mean_cost"], float))


def read_runs(path: Path) -> pd.DataFrame:
    """Read the table of runs, empty if there is none yet."""
    return as_runs(pd.read_csv(path).to_dict("records")) if path.exists() else as_runs([])


def read_settings(path: Path) -> dict[str, Any]:
    """Read the settings shared by all runs of a folder."""
    return json.loads(path.read_text())


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """Return medians over repeats: one row per instance, n and solver, with its difference and gap.

    ``difference``: (value - reference) / max(reference, mean cost / 1000); the reference is scipy's value or, if scipy
    did not finish, the smallest value of an exact solver. ``gap`` is relative to the same.
    """
    rows = []
    for case, repeats in runs.groupby(CASE, sort=False):
        failed = repeats.loc[repeats["status"] != "ok", "status"]
        row = dict(zip(CASE, case, strict=True)) | {"status": "ok" if failed.empty else failed.iloc[0]}
        rows.append(row | repeats[[*MEASURED, "gap", "mean_cost"]].median().to_dict())
        if not failed.empty:
            rows[-1] |= dict.fromkeys([*MEASURED, "gap"], np.nan)
    summary = pd.DataFrame(rows, columns=[*CASE, "status", *MEASURED, "gap", "mean_cost"])
    reference = summary.groupby(["instance", "n"])[["solver", "status", "value"]].apply(_reference)
    keys = pd.MultiIndex.from_frame(summary[["instance", "n"]])
    best = reference.reindex(keys).to_numpy(float)
    least = np.where(best > 0, best, summary["mean_cost"] / 1000)
    summary["difference"] = (summary["value"] - best) / least
    summary["gap"] /= least
    order = summary[["instance", "solver"]].apply(lambda column: column.map(_rank))
    summary = summary.assign(i=order["instance"], s=order["solver"]).sort_values(["n", "i", "s"])
    return summary.reset_index(drop=True)[[*CASE, "status", *MEASURED, "difference", "gap"]]


def _rank(name: str) -> int:
    return list({**INSTANCES, **SOLVERS}).index(name)


def _reference(case: pd.DataFrame) -> float:
    sound = case[(case["status"] == "ok") & case["solver"].map(lambda name: SOLVERS[name].exact)]
    scipy = sound.loc[sound["solver"] == "scipy", "value"]
    return float((sound["value"] if scipy.empty else scipy).min())


def seconds(summary: pd.DataFrame) -> pd.Series:
    """Return the reported time: CPU seconds, or wall seconds of GPU solvers."""
    on_gpu = summary["solver"].map(lambda name: SOLVERS[name].cuda)
    return summary["cpu_seconds"].where(~on_gpu, summary["wall_seconds"])


def geometric_mean(ratios: pd.Series) -> str:
    """Format the geometric mean of the finite ratios with their number; a dash if there are none."""
    known = ratios.dropna()
    return f"{np.exp(np.log(known).mean()):.2f} ({len(known)})" if len(known) else "–"


def _block(part: pd.DataFrame, column: str, rivals: Iterable[str], ratio_title: str, digits: int) -> list[str]:
    """Make a table of one n: a row per instance, a column per solver, and the ratio of pwgan to the best rival."""
    solvers, instances = list(dict.fromkeys(part["solver"])), list(dict.fromkeys(part["instance"]))
    value = part.pivot(index="instance", columns="solver", values=column).reindex(instances)
    status = part.pivot(index="instance", columns="solver", values="status").reindex(instances)
    build = part.pivot(index="instance", columns="solver", values="build_seconds").reindex(instances)
    compared = [name for name in rivals if name in solvers]
    best = value[compared].min(axis=1)
    ours = value[OURS] if OURS in solvers else pd.Series(np.nan, index=instances)
    lines = [f"| instance | {' | '.join(SOLVERS[name].label for name in solvers)} | {ratio_title} |"]
    lines.append(f"|---|{'---:|' * (len(solvers) + 1)}")
    for name in instances:
        cells = []
        for solver in solvers:
            cell_value = value.loc[name, solver]
            text = f"{cell_value:.{digits}g}" if cell_value < 10**digits else f"{cell_value:.0f}"
            if column == "seconds" and np.isfinite(build.loc[name, solver]):
                text += f" ({build.loc[name, solver]:.2g})"
            if solver in compared and cell_value == best[name]:
                text = f"**{text}**"
            cells.append(text if status.loc[name, solver] == "ok" else str(status.loc[name, solver]))
        ratio = ours[name] / best[name]
        cells.append(f"{ratio:.2f}" if np.isfinite(ratio) else "–")
        lines.append(f"| {INSTANCES[name].title} | {' | '.join(cells)} |")
    means = ["" if name == OURS else geometric_mean(ours / value[name]) for name in solvers]
    lines.append(f"| *pwgan ÷ it, geometric mean* | {' | '.join(means)} | **{geometric_mean(ours / best)}** |")
    return lines


def table(summary: pd.DataFrame, settings: dict[str, Any]) -> str:
    """Write time, memory and correctness as Markdown."""
    present = list(dict.fromkeys(summary["solver"]))
    exact = [name for name in present if SOLVERS[name].exact and SOLVERS[name].package != OURS]
    host = dict(settings["machine"])
    where = f"{host.pop('processor')}, {host.pop('cores')} cores"
    versions = ", ".join(f"{name} {number}" for name, number in host.items())
    lines = [
        "# Exact transport",
        "",
        f"Cost: {settings['cost']}; threads: {settings['threads']}; limits of a run: {settings['limit']:g} s of wall "
        f"time, {settings['memory']:g} GB. {where}; {versions}.",
        "",
        "Medians over repeats. Time is CPU seconds (of GPU solvers, wall seconds), building the costs counted (in "
        "brackets: that part); memory is the peak above what the process held before. **Bold**: the best exact "
        "competitor, which the last column compares us with; below, geometric means over the instances that both "
        "finished, and their number. fastlap's auction is not exact.",
    ]
    for n, part in summary.assign(seconds=seconds(summary)).groupby("n"):
        lines += ["", f"## n = {n}", "", "Seconds", ""]
        lines += _block(part, "seconds", exact, "pwgan ÷ fastest exact", 3)
        lines += ["", "Peak memory, MB", ""]
        lines += _block(part, "peak_mb", exact, "pwgan ÷ smallest exact", 3)
    lines += ["", "## Correctness", "", *_correctness(summary, present)]
    return "\n".join(lines) + "\n"


def _correctness(summary: pd.DataFrame, present: list[str]) -> list[str]:
    """Make the table of the largest differences and gaps."""
    worst = summary.assign(difference=summary["difference"].abs())
    worst = worst.pivot_table(index="n", columns="solver", values=["difference", "gap"], aggfunc="max")
    lines = [
        "Largest difference of the values, over the instances that a solver finished, from scipy's, or where scipy did "
        "not finish from the smallest exact one; and largest duality gap; both relative to the value, or if that is 0 "
        "to a thousandth of the mean cost. Values are those of the matchings, recomputed from differences in float64.",
        "",
        f"| n | {' | '.join(SOLVERS[name].label for name in present)} | gap of pwgan |",
        f"|---|{'---:|' * (len(present) + 1)}",
    ]
    for n in sorted(set(summary["n"])):
        cells = [("difference", name) for name in present] + [("gap", OURS)]
        largest = [worst[cell].get(n, np.nan) if cell in worst else np.nan for cell in cells]
        lines.append(f"| {n} | {' | '.join('–' if np.isnan(value) else f'{value:.1e}' for value in largest)} |")
    return lines


@themed
def write(folder: Path) -> None:
    """Write transport.csv, transport.md and transport.png from the runs in a folder, atomically."""
    if not (folder / "runs.csv").exists():
        raise FileNotFoundError(f"{folder} holds no runs.csv yet: run without --draw-only first")
    settings = read_settings(folder / "settings.json")
    summary = summarise(read_runs(folder / "runs.csv"))
    with atomic_write(folder / "transport.csv") as aside:
        summary.to_csv(aside, index=False)
    with atomic_write(folder / "transport.md") as aside:
        aside.write_text(table(summary, settings))
    figure = draw(summary.assign(seconds=seconds(summary)), settings)
    with atomic_write(folder / "transport.png") as aside:
        figure.savefig(aside)
