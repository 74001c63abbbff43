"""All figures of a study, each drawn from the CSV that is written beside it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from pwgan.data.store import read_data
from pwgan.report.critics import dual, dual_data, ranking, ranking_data
from pwgan.report.curves import convergence, convergence_data, losses, losses_data
from pwgan.report.forgetting import forgetting, forgetting_data
from pwgan.report.frames import REFERENCE, read, typed
from pwgan.report.generalisation import frechet, frechet_data, neighbours, neighbours_data
from pwgan.report.interpolation import interpolation, interpolation_data
from pwgan.report.panels import bias, bias_data, cost, cost_data, coverage, coverage_data
from pwgan.report.samples import Sample, samples, samples_data
from pwgan.report.style import themed
from pwgan.runtime import atomic_write

DRAW = {
    "bias": bias,
    "coverage": coverage,
    "convergence": convergence,
    "losses": losses,
    "forgetting": forgetting,
    "ranking": ranking,
    "dual": dual,
    "cost": cost,
    "neighbours": neighbours,
    "frechet": frechet,
}
STRIPS = "interpolation.npy"


def write_figures(
    results_dir: str | Path, out_dir: str | Path, cells: Iterable[tuple[str, str, int, str | Path]]
) -> None:
    """Write every figure of ``names.figure_names`` as .csv and .png into ``out_dir``.

    ``cells`` says where the samples of each trained cell lie: data set, method, m and the file of its first block of
    seeds, of shape (S, N, *sample). The samples of its paths lie beside it.
    """
    results, out = Path(results_dir), Path(out_dir)
    runs, measures, history = read(results, "runs"), read(results, "measures"), read(results, "history")
    frames = {
        "bias": bias_data(read(results, "bias"), runs),
        "coverage": coverage_data(measures, runs),
        "convergence": convergence_data(history, measures, runs),
        "losses": losses_data(history, runs),
        "forgetting": forgetting_data(read(results, "mode_steps"), runs),
        "ranking": ranking_data(read(results, "ranking"), runs),
        "dual": dual_data(history, measures, runs),
        "cost": cost_data(read(results, "costs")),
        "neighbours": neighbours_data(measures, runs),
        "frechet": frechet_data(measures, runs),
    }
    for name, draw in DRAW.items():
        save(draw(written(frames[name], out / f"{name}.csv")), out / f"{name}.png")
    given, paths = [Sample(*cell) for cell in cells], read(results, "interpolation")
    for dataset in runs["dataset"].unique():
        data = read_data(results / "data" / f"{dataset}.safetensors")
        own = [cell for cell in given if cell.dataset == dataset]
        frame = samples_data(dataset, data, own, runs)
        save(samples(written(frame, out / f"samples-{dataset}.csv"), data), out / f"samples-{dataset}.png")
        strips = [Sample(dataset, REFERENCE, None, results / dataset / REFERENCE / STRIPS)]
        strips += [cell._replace(path=Path(cell.path).with_name(STRIPS)) for cell in own]
        frame = interpolation_data(paths[paths["dataset"] == dataset], strips)
        stem = f"interpolation-{dataset}"
        save(interpolation(written(frame, out / f"{stem}.csv"), data), out / f"{stem}.png")


def written(frame: pd.DataFrame, path: Path) -> pd.DataFrame:
    """Write a frame as CSV and return what a reader of that file gets, which is what is drawn."""
    with atomic_write(path) as aside:
        frame.to_csv(aside, index=False)
    return load(path)


def load(path: str | Path) -> pd.DataFrame:
    """Read the CSV of a figure; pixels stay text, though many look like numbers."""
    return typed(pd.read_csv(path, dtype={"pixels": str}))


@themed
def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG."""
    with atomic_write(path) as aside:
        figure.savefig(aside, format="png")
