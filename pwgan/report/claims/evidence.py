"""The statistics used to judge the claims, computed from the frames of a study.

Each function returns its parts by name: an array with one value per seed (NaN for diverged seeds), or a single number
for a check that has no seeds. Trained cells are those of one mini-batch size, the largest with which every method of a
data set was trained; methods are identified by their names in the study. ``NotMeasured`` is raised if the study lacks
the required results.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from pwgan.measures.names import FRECHET
from pwgan.options import REFERENCE
from pwgan.report import frames

LEAST = 0.01
"""Lower limit for a distance above the floor, as a share of the floor; smaller values are sampling noise."""
VANISHED = 1e-6
"""Lower limit for a gradient norm, as a share of its early value."""
EARLY = 16
"""Critic steps after which the early gradient is taken; one of the steps recorded in ``signal``."""
Parts = dict[str, npt.ArrayLike]
Statistic = Callable[["Results"], Parts]


class NotMeasured(Exception):
    """The results needed for a claim are missing."""


class Results:
    """The results of a study; frames are read on first use."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.frame = cache(self._frame)
        self.runs = cache(self._runs)
        self.theory = cache(self._theory)

    def _frame(self, name: str) -> pd.DataFrame:
        """Return a tidy frame of the study with the cells at the shared mini-batch size and the references."""
        if not (self.folder / f"{name}.parquet").exists():
            raise NotMeasured(f"no {name}.parquet")
        return frames.at_shared(frames.read(self.folder, name), self.runs())

    def _runs(self) -> pd.DataFrame:
        if not (self.folder / "runs.parquet").exists():
            raise NotMeasured("no runs.parquet")
        return frames.read(self.folder, "runs")

    def _theory(self, name: str) -> pd.DataFrame:
        path = self.folder / "theory" / f"{name}.csv"
        if not path.exists():
            raise NotMeasured(f"no theory/{name}.csv")
        return frames.read_csv(path)

    def datasets(self, method: str) -> list[str]:
        """Return the data sets on which a method was trained with the m shared by all methods, in order."""
        if method not in set(self.runs()["method"]):
            raise NotMeasured(f"no method {method!r} in this study")
        runs = self.frame("runs")
        names = list(dict.fromkeys(runs.loc[runs["method"] == method, "dataset"]))
        if not names:
            raise NotMeasured(f"no mini-batch size that {method!r} shares with all others of its data sets")
        return names

    def shared(self, method: str, other: str) -> list[str]:
        """Return the data sets that both methods were trained on, in order."""
        first, second = self.datasets(method), self.datasets(other)
        return [dataset for dataset in first if dataset in second]

    def measure(self, dataset: str, method: str, name: str) -> pd.Series:
        """Return a measure without feature extractor by seed, for any sample count."""
        frame = self.frame("measures")
        wanted = (frame["name"] == name) & frame["extractor"].isna()
        rows = frame[wanted & (frame["dataset"] == dataset) & (frame["method"] == method)]
        return rows.set_index("seed")["value"].sort_index()

    def floor(self, dataset: str, name: str) -> float:
        """Return the floor of a measure: its mean over the references (real samples)."""
        return float(self.measure(dataset, REFERENCE, name).mean())


def captured(*methods: str) -> Statistic:
    """Share of a mixture's modes that methods capture."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for method in methods:
            for dataset in results.datasets(method):
                modes = results.measure(dataset, method, "coverage")
                if len(modes):
                    # Real samples cover every mode.
                    parts[f"{method}, {dataset}"] = modes / results.floor(dataset, "coverage")
        return _some(parts, f"mode coverage of {' and '.join(methods)}")

    return statistic


def difference(method: str, other: str) -> Statistic:
    """Final EWD of a method minus that of another, paired by seed, in units of the floor."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        for dataset in results.shared(method, other):
            first, second = (results.measure(dataset, name, "ewd") for name in (method, other))
            parts[f"{method}, {dataset}"] = (first - second) / results.floor(dataset, "ewd")
        return _some(parts, f"data set with {method} and {other}")

    return statistic


def dual_difference(results: Results) -> Parts:
    """Final EWD of the dual methods with random minus stratified batches, in units of the floor."""
    pairs = ("wgan", "wgan_stratified"), ("wgan_gp", "wgan_gp_stratified")
    return {part: value for pair in pairs for part, value in difference(*pair)(results).items()}


def descent(method: str) -> Statistic:
    """Logarithm of the held-out EWD above the floor, last evaluation over first."""

    def statistic(results: Results) -> Parts:
        parts: Parts = {}
        history = results.frame("history").dropna(subset="ewd")
        fates = results.frame("runs")
        for dataset in results.datasets(method):
            floor = results.floor(dataset, "ewd-history")
            curves = history[(history["dataset"] == dataset) & (history["method"] == method)]
            ends = curves.sort_values("step").groupby("seed")["ewd"].agg(["first", "last"])
            runs = fates[(fates["dataset"] == dataset) & (fates["method"] == method)].set_index("seed")
            # By sampling noise the last EWD may be at or below the floor, where the logarithm is undefined.
            ratio = (ends["last"] - floor).clip(lower=LEAST * floor) / (ends["first"] - floor)
            parts[dataset] = ratio.map(np.log).reindex(runs.index).where(runs["status"] != "diverged")
        return parts

    return statistic


def js_violation(results: Results) -> Parts:
    """Largest violation of the properties of JS."""
    table = results.theory("js")
    return dict(zip(table["check"], table["value"], strict=True))


def _lines(results: Results, quantity: str, kind: str, divergence: str) -> pd.Series:
    """Return one divergence of the parallel lines, or its gradient, by theta."""
    table = results.theory("lines")
    wanted = (table["quantity"] == quantity) & (table["kind"] == kind) & (table["divergence"] == divergence)
    return table[wanted].set_index("theta")["mean"].sort_index()


def gradients_apart(results: Results) -> Parts:
    """Gradients of JS and W between parallel lines, away from theta = 0."""
    js, w = (_lines(results, "gradient", "closed", name).drop(0.0) for name in ("js", "w1"))
    return {"JS": js.abs().max(skipna=False), "W": (w.abs() - 1).abs().max(skipna=False)}


def lines_error(results: Results) -> Parts:
    """Largest error of divergences estimated from samples of parallel lines, away from theta = 0."""
    w, js, tv = (_lines(results, "value", "empirical", name).drop(0.0) for name in ("w1", "js", "tv"))
    return {
        "W": (w - np.abs(w.index.to_numpy(float))).abs().max(),
        "JS": (js - np.log(2)).abs().max(),
        "TV": (tv - 1).abs().max(),
    }


def jump(results: Results) -> Parts:
    """Change from theta = 0 to the next theta for parallel lines: W per theta, and log 2 over the jump of JS."""
    w, js = (_lines(results, "value", "closed", name).loc[0.0:].iloc[:2] for name in ("w1", "js"))
    return {"W": float(w.diff().iloc[1]) / float(w.index[1]), "JS": np.log(2) / float(js.diff().iloc[1])}


def discriminator_error(results: Results) -> Parts:
    """Mean |D - D*| of trained discriminators."""
    return {"two Gaussians": results.theory("game-checks")["error"]}


def game_value_error(results: Results) -> Parts:
    """Error of the value of the trained discriminators."""
    checks = results.theory("game-checks")
    return {"two Gaussians": (checks["value"] - checks["optimum"]).abs()}


def duality(results: Results) -> Parts:
    """Largest relative duality gap, and the excess over 1 of the Lipschitz constants of the potentials."""
    table = results.theory("duality")
    return {
        "gap": (table["gap"].abs() / table["primal"]).max(),
        "Lipschitz": table["lipschitz"].max() - 1,
    }


def permutation_is_optimal(results: Results) -> Parts:
    """Largest difference in cost between the best permutation and the best plan, relative to the plan."""
    table = results.theory("plans")
    return {"random pairs": ((table["permutation"] - table["plan"]).abs() / table["plan"]).max()}


def gpu_matching(results: Results) -> Parts:
    """Logarithm of the training seconds of pwgan over those of gan, summed over all blocks, on GPUs."""
    costs = results.frame("costs")
    trained = costs[(costs["stage"] == "train") & (costs["device"] != "cpu")]
    seconds = trained.groupby(["dataset", "method"], sort=False)["seconds"].sum().unstack("method")
    parts: Parts = {}
    if {"pwgan", "gan"} <= set(seconds.columns):
        ratios = (seconds["pwgan"] / seconds["gan"]).dropna()
        parts |= {str(dataset): np.log(ratio) for dataset, ratio in ratios.items()}
    return _some(parts, "cell of pwgan and of gan trained on a GPU")


def picture_differs(results: Results) -> Parts:
    """Share of the points in the picture whose partner differs."""
    return {"8 points": float(results.theory("picture")["differs"].mean())}


def _ratios(table: pd.DataFrame, column: str, other: str) -> Parts:
    """Return the ratio of two columns by data set and draw, averaged over m."""
    return {
        str(dataset): (rows[column] / rows[other]).groupby(rows["seed"]).mean()
        for dataset, rows in table.groupby("dataset", sort=False)
    }


def bias_over_deviation(results: Results) -> Parts:
    """B_M over D_M for random batches and two draws of one distribution, for m <= n/16."""
    table = results.theory("bias").query("sampler == 'random' and eval_batch <= n / 16")
    return _ratios(table, "bias", "deviation")


def _beyond_bound(results: Results, column: str) -> Parts:
    """Largest relative excess of a column over U_M, over all partitions, samplers and generators."""
    columns = [column, "bound"]
    trained = frames.read(results.folder, "bias") if (results.folder / "bias.parquet").exists() else pd.DataFrame()
    tables = [frame[columns] for frame in (results.theory("bias"), trained) if len(frame)]
    every = pd.concat(tables).dropna().query("bound > 0")
    return {"all": ((every[column] - every["bound"]) / every["bound"]).max()}


def bound_violation(results: Results) -> Parts:
    """Largest relative excess of D_M over U_M."""
    return _beyond_bound(results, "deviation")


def bias_beyond_bound(results: Results) -> Parts:
    """Largest relative excess of B_M over U_M."""
    return _beyond_bound(results, "bias")


def _stratified(results: Results, column: str) -> Parts:
    table = results.theory("bias").query("sampler == 'stratified' and eval_batch == 64")
    return _ratios(table, column, "ewd")


def stratified_bias(results: Results) -> Parts:
    """B_M / EWD with stratified batches of 64."""
    return _stratified(results, "bias")


def stratified_bound(results: Results) -> Parts:
    """U_M / EWD with stratified batches of 64."""
    return _stratified(results, "bound")


def _gradient_decay(results: Results, *critics: str) -> Parts:
    """Logarithm of an untrained generator's gradient norm under the final critic over that after 16 critic steps."""
    signal = results.frame("signal")
    signal = signal[(signal["method"] == "gan") & (signal["generator"] == "initial") & signal["critic"].isin(critics)]
    parts: Parts = {}
    for (dataset, critic), rows in signal.groupby(["dataset", "critic"], sort=False):
        norms = rows.pivot(index="seed", columns="step", values="parameter_gradient")
        # The lower limit keeps the logarithm of a gradient of exactly 0 finite.
        last, early = norms[norms.columns.max()].clip(lower=VANISHED * norms[EARLY]), norms[EARLY]
        parts[f"{critic}, {dataset}"] = (last / early).map(np.log)
    return _some(parts, f"gradients under the critic of {' or '.join(critics)}")


def gan_gradient_decay(results: Results) -> Parts:
    """Decay of a GAN's gradient."""
    return _gradient_decay(results, "gan")


def wgan_gradient_decay(results: Results) -> Parts:
    """Decay of a WGAN's gradient."""
    return _gradient_decay(results, "wgan", "wgan_gp")


def ranking_lost(results: Results) -> Parts:
    """AUC on earlier mini-batches of the critic of that time minus that of the final critic, by seed."""
    ranking = results.frame("ranking")
    parts: Parts = {}
    for method in ("gan", "wgan", "wgan_gp"):
        for dataset, rows in ranking[ranking["method"] == method].groupby("dataset", sort=False):
            last = rows["step"].max()
            # At step 0 the critic has not been trained, and at the last step both critics are the same.
            rows = rows[(rows["earlier_step"] > 0) & (rows["earlier_step"] < last)]
            then = rows[rows["step"] == rows["earlier_step"]].groupby("seed")["auc"].mean()
            parts[f"{method}, {dataset}"] = then - rows[rows["step"] == last].groupby("seed")["auc"].mean()
    return _some(parts, "critics of gan, wgan or wgan_gp")


def nearness(results: Results) -> Parts:
    """Logarithm of the nearest-neighbour distance to the training set over that of held-out samples."""
    return {
        dataset: results.measure(dataset, "pwgan_full", "nn_ratio").map(np.log)
        for dataset in results.datasets("pwgan_full")
    }


def interpolation_distance(results: Results) -> Parts:
    """Logarithm of the distance to the training set along latent paths over that of held-out samples."""
    methods = ("pwgan", "pwgan_full", "wgan_gp")
    parts = {
        f"{method}, {dataset}": np.log(results.measure(dataset, method, "interpolation_ratio"))
        for method in methods
        for dataset in results.datasets(method)
    }
    return _some({name: values for name, values in parts.items() if len(values)}, "interpolation")


def exact_frechet(results: Results) -> Parts:
    """Logarithm of the Frechet distance of pwgan_full over that of pwgan, paired by seed."""
    measures = results.frame("measures")
    frechet = measures[measures["name"].isin(FRECHET)]
    parts: Parts = {}
    for (dataset, name), rows in frechet.groupby(["dataset", "measure"], sort=False):
        exact, other = (rows[rows["method"] == method].set_index("seed")["value"] for method in ("pwgan_full", "pwgan"))
        if len(exact) and len(other):
            parts[f"{dataset}, {name}"] = np.log(exact / other)
    return _some(parts, "Frechet distance of pwgan_full and pwgan")


def _some(parts: Parts, description: str) -> Parts:
    if not parts:
        raise NotMeasured(f"no {description}")
    return parts
