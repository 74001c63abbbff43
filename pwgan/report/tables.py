"""The tables of a study: long and numeric as CSV, wide and readable as Markdown and HTML."""

from __future__ import annotations

import html
import math
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from pwgan.report.frames import BIAS, BIAS_PARTS, CELL, REFERENCE, ordered, read
from pwgan.report.names import TABLES
from pwgan.report.statistics import intervals, summary, with_diverged
from pwgan.runtime import atomic_write

ABSENT = "-"
BIAS_ROWS = [*CELL, "sampler", "eval_batch", "n"]
HEADINGS = {
    "batch_size": "m",
    "eval_batch": "evaluation m",
    "bias": "bias B",
    "deviation": "deviation D",
    "bound": "bound U",
    "differing": "differing partners",
    "matching_bias": "B of matching",
    "sampling_bias": "B of sampling",
    "cosine_batch": "cosine, one batch",
    "cosine_mean": "cosine, mean of batches",
    "seconds_per_block": "seconds per block",
    "seconds_per_seed": "seconds per seed",
    "peak_memory_mb": "peak memory (MB)",
    "sample": "sample shape",
    "training": "training samples",
    "heldout": "held-out samples",
    "classifier_accuracy": "classifier accuracy",
    "classifier_epochs": "classifier epochs",
}
STABILITY = r"(ewd-(above-floor|trend|variance)|coverage-lost(-.*)?|critic-auc(-lost)?)@\d+"
INTERVALS = "Mean ± half width of the 95 % Student interval over seeds; diverged seeds are counted, not averaged."


class Table(NamedTuple):
    """A table to read: a title, what it shows, and one block of cells for each data set."""

    title: str
    caption: str
    blocks: dict[str, pd.DataFrame]


def main_table(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the summary of all measures, long: one row for each data set, method, m and measure."""
    return summary(measures, runs)


def bias_table(bias: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return the mini-batch bias report over the ladder of evaluation m, long: one row for each quantity."""
    parts = BIAS_PARTS if (bias["sampler"] == "dpp").any() else []
    tidy = bias.melt([*BIAS_ROWS, "seed"], [*BIAS, *parts], var_name="measure")
    return ordered(
        with_diverged(intervals(tidy, [*BIAS_ROWS, "measure"]), runs).sort_values("eval_batch", kind="stable")
    )


def stability_table(measures: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """Return how each cell ends and what it lost on the way, long: mean and standard deviation over seeds."""
    trained = measures[measures["measure"].str.fullmatch(STABILITY) & (measures["method"] != REFERENCE)]
    groups = trained.groupby([*CELL, "measure"], dropna=False, sort=False)["value"]
    found = groups.agg(mean="mean", deviation="std", seeds="count").reset_index()
    return ordered(with_diverged(found, runs))


def cost_table(costs: pd.DataFrame) -> pd.DataFrame:
    """Return what each cell and stage took: seconds per block and per seed, and the highest peak memory in MB."""
    groups = costs.groupby([*CELL, "stage"], dropna=False, sort=False)
    out = groups.agg(
        blocks=("seconds", "size"),
        seeds=("seeds", "sum"),
        seconds=("seconds", "sum"),
        peak_memory_mb=("peak_memory_mb", "max"),
        device=("device", lambda names: ", ".join(sorted(set(names)))),
    ).reset_index()
    per = {"seconds_per_block": out["seconds"] / out["blocks"], "seconds_per_seed": out["seconds"] / out["seeds"]}
    columns = [*CELL, "stage", "blocks", "seeds", *per, "peak_memory_mb", "device"]
    return ordered(out.assign(**per)[columns])


def write_tables(results_dir: str | Path, out_dir: str | Path) -> None:
    """Write each of ``names.TABLES`` into ``out_dir`` as .csv, .md and .html, from the frames in ``results_dir``."""
    runs = read(results_dir, "runs")
    frames = {
        "main": main_table(read(results_dir, "measures"), runs),
        "bias": bias_table(read(results_dir, "bias"), runs),
        "stability": stability_table(read(results_dir, "measures"), runs),
        "cost": cost_table(read(results_dir, "costs")),
        "datasets": pd.read_parquet(Path(results_dir) / "datasets.parquet"),
    }
    for name in TABLES:
        table = readable(name, frames[name])
        for suffix, text in (("csv", frames[name].to_csv(index=False)), ("md", markdown(table)), ("html", page(table))):
            with atomic_write(Path(out_dir) / f"{name}.{suffix}") as aside:
                aside.write_text(text, encoding="utf-8")


def readable(name: str, frame: pd.DataFrame) -> Table:
    """Turn a long table into the wide one that a person reads, one block for each data set."""
    if name == "main":
        caption = (
            f"{INTERVALS} The row `data` measures real training samples against the held-out set: what a perfect "
            "generator would reach (a classifier that gives features or labels was fitted to these very samples). "
            "The number after @ is the sample count; EWDs are comparable within a data set only."
        )
        return Table("Measures of each method", caption, _blocks(frame, CELL))
    if name == "bias":
        caption = (
            f"{INTERVALS} m is the mini-batch size in training, evaluation m the one of the mini-batch distance, n the "
            "pool that both sides share. B = MBWD - EWD; 0 <= B <= D <= U up to rounding. Subsets of a DPP do not part "
            "the pool: their B is that of matching small batches plus that of sampling other points than the pool's."
        )
        return Table("Bias of the mini-batch distance", caption, _blocks(frame, BIAS_ROWS))
    if name == "stability":
        caption = (
            "Mean ± standard deviation over seeds: how much one run may differ from another; diverged seeds are "
            "counted, not averaged. ewd-above-floor: EWD at the last evaluation less that of real samples. ewd-trend "
            "(per step) and ewd-variance: slope and variance of the EWD over the last third of the training; a run "
            "that has settled has a trend of 0. coverage-lost: modes at the best evaluation less modes at the last. "
            "critic-auc: how well the final critic tells real from generated samples of earlier evaluations (0.5: "
            "not at all); critic-auc-lost: by how much the critic of that time did so better."
        )
        shown = frame.rename(columns={"deviation": "half_width"})
        return Table("Stability of each method", caption, _blocks(shown, CELL))
    if name == "datasets":
        caption = "The classifier counts modes and gives features; its accuracy is on the held-out samples."
        return Table("Data sets", caption, {"All data sets": _headed(_shown(frame))})
    caption = (
        "A block is a group of seeds trained side by side; memory is the highest peak of all blocks, of the process on "
        "a CPU and of the device on a GPU. `train` leaves out the "
        "EWD along training, which is `evaluate`; `measure` is the sum of the groups of measures listed below it."
    )
    groups = _shown(frame).groupby("dataset", sort=False)
    blocks = {str(key): _headed(block.drop(columns="dataset")) for key, block in groups}
    return Table("Cost of each method", caption, blocks)


def cell(mean: float, half_width: float) -> str:
    """Write ``mean ± half width``, rounded to the second significant digit of the half width."""
    if math.isnan(mean):
        return ABSENT
    if not math.isfinite(half_width):
        return f"{mean:.4g}"
    if half_width <= 1e-5 * abs(mean):
        return f"{mean:.4g} ± 0"
    decimals = max(0, 1 - math.floor(math.log10(half_width)))
    if decimals > 6:
        exponent = math.floor(math.log10(max(abs(mean), half_width)))
        return f"({cell(mean / 10**exponent, half_width / 10**exponent)})e{exponent:03d}"
    return f"{mean:.{decimals}f} ± {half_width:.{decimals}f}"


def markdown(table: Table) -> str:
    """Render a table as Markdown, one heading and one grid for each data set."""
    parts = [f"# {table.title}", table.caption]
    for dataset, block in table.blocks.items():
        rows = [list(block.columns), ["---"] * block.shape[1], *block.astype(str).to_numpy().tolist()]
        grid = "\n".join("| " + " | ".join(value.replace("|", "\\|") for value in row) + " |" for row in rows)
        parts += [f"## {dataset}", grid]
    return "\n\n".join(parts) + "\n"


def page(table: Table) -> str:
    """Render a table as one HTML page that needs no other file."""
    style = (
        "body{font:14px sans-serif;margin:1.5em;color:#222}table{border-collapse:collapse}caption{text-align:left}"
        "td,th{padding:.25em .8em;border-bottom:1px solid #ddd;text-align:right;white-space:nowrap}"
        "td:first-child,th:first-child{text-align:left}thead th{border-bottom:2px solid #555}p{max-width:60em}"
    )
    title = html.escape(table.title)
    grids = "".join(
        f"<h2>{html.escape(dataset)}</h2>\n{block.to_html(index=False, border=0)}\n"
        for dataset, block in table.blocks.items()
    )
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>{style}</style>'
        f"</head>\n<body><h1>{title}</h1>\n<p>{html.escape(table.caption)}</p>\n{grids}</body></html>\n"
    )


def _blocks(frame: pd.DataFrame, rows: list[str]) -> dict[str, pd.DataFrame]:
    """Spread the measures of a long table over columns, one block for each data set."""
    blocks = {}
    for dataset, part in frame.groupby("dataset", sort=False):
        lines = []
        for key, group in part.groupby(rows, dropna=False, sort=False):
            line = dict(zip(rows, key, strict=True))
            cells = map(cell, group["mean"], group["half_width"])
            line |= dict(zip(group["measure"], cells, strict=True))
            lines.append(line | {"seeds": _span(group), "diverged": group["diverged"].max()})
        block = pd.DataFrame(lines)
        ends = ["seeds", "diverged"]
        # A measure of the reference alone, as the floor of the training curves, stays in the CSV.
        trained = part[part["method"] != REFERENCE]
        measures = list((part if trained.empty else trained)["measure"].unique())
        blocks[str(dataset)] = _headed(block[[*rows[1:], *measures, *ends]])
    return blocks


def _shown(frame: pd.DataFrame) -> pd.DataFrame:
    """Write numbers with four significant digits."""
    numbers = frame.select_dtypes("float").columns
    return frame.assign(
        **{column: [ABSENT if math.isnan(v) else f"{v:.4g}" for v in frame[column]] for column in numbers}
    )


def _span(group: pd.DataFrame) -> str:
    """Say how many seeds stand behind a row; two numbers where its measures differ in that."""
    counts = group.loc[group["mean"].notna(), "seeds"]
    low, high = (counts.min(), counts.max()) if len(counts) else (0, 0)
    return str(low) if low == high else f"{low} to {high}"


def _headed(block: pd.DataFrame) -> pd.DataFrame:
    return block.astype(object).where(block.notna(), ABSENT).rename(columns=HEADINGS)
