"""The benchmark of exact transport: its instances, its solvers, the limits it sets them, and what it says of them."""

from __future__ import annotations

import itertools
import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import transport
import transport_figure as figure
import transport_instances as instances
import transport_measure as measuring
import transport_report as report
import transport_solvers as solvers
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.data.mixtures import Grid25
from pwgan.errors import Refused

linux = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
SETTINGS = {"cost": "euclidean", "seed": 0, "threads": 1, "limit": 9.0, "memory": 1.0}


@pytest.fixture(scope="module")
def pictures() -> None:
    pytest.importorskip("skimage", reason="needs pwgan[bench]")


@pytest.mark.parametrize(
    ("name", "d"),
    [
        ("gaussian-2", 2),
        ("gaussian-784", 784),
        ("fill-values", 2),
        ("outliers", 2),
        ("far-clusters", 2),
        ("collapsed-grid", 2),
        ("digits", 64),
        ("half-trained", 64),
    ],
)
def test_an_instance_is_a_function_of_n_and_the_seed(name: str, d: int) -> None:
    draw = instances.INSTANCES[name].draw
    x, y = draw(50, 1)
    for side in (x, y):
        assert side.shape == (50, d) and side.dtype == np.float32 and np.isfinite(side).all()
    assert all(map(np.array_equal, (x, y), draw(50, 1)))
    assert not any(map(np.array_equal, (x, y), draw(50, 2)))
    assert not np.array_equal(x, y)


def test_the_collapsed_generator_keeps_five_modes_of_25() -> None:
    x, y = instances.collapsed_grid(2000, 0)
    modes = Grid25.mixture()[0]
    nearest = [cdist(side, modes).argmin(1) for side in (x, y)]
    assert [len(set(found)) for found in nearest] == [5, 25]
    assert cdist(x, modes).min(1).max() < 6 * Grid25.sigma


def test_patches_are_pieces_of_two_photographs(pictures: None) -> None:
    x, y = instances.patches(200, 0)
    for side, file in ((x, "astronaut.png"), (y, "coffee.png")):
        photograph = instances.photograph(file)
        assert side.shape == (200, 192) and side.dtype == np.float32
        # Channels first: the first pixel of a patch is its elements 0, 64 and 128.
        patch = side[7].reshape(3, 8, 8).transpose(1, 2, 0)
        found = np.argwhere((photograph == patch[0, 0]).all(-1))
        assert any(np.array_equal(photograph[i : i + 8, j : j + 8], patch) for i, j in found)


def test_more_patches_than_a_photograph_has_are_refused() -> None:
    pixels = np.zeros((9, 10, 3), np.uint8)
    assert instances._cut(pixels, 6, np.random.default_rng(0)).shape == (6, 192)
    with pytest.raises(Refused, match="10×9 has 6 patches, not 7"):
        instances._cut(pixels, 7, np.random.default_rng(0))


def test_digits_have_exact_duplicates_on_both_sides_and_across() -> None:
    x, y = instances.digits(1797, 0)
    assert len(np.unique(x, axis=0)) == 1797
    assert len(np.unique(y, axis=0)) < 1300
    assert (cdist(x, y).min(0) == 0).all()
    assert len(np.unique(instances.digits(2500, 0)[0], axis=0)) < 1797


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("d", [2, 192])
def test_costs_are_those_of_direct_differences(cost: str, d: int) -> None:
    x, y = np.random.default_rng(0).standard_normal((2, 40, d), dtype=np.float32)
    built = solvers.costs(x, y, cost)
    assert built.dtype == np.float64 and built.flags.c_contiguous
    np.testing.assert_allclose(built, cdist(x.astype(float), y.astype(float), cost), rtol=1e-12)


@pytest.mark.parametrize("cost", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("name", [name for name, solver in solvers.SOLVERS.items() if not solver.cuda])
def test_every_solver_finds_the_optimum(name: str, cost: str) -> None:
    solver = solvers.SOLVERS[name]
    pytest.importorskip({"POT": "ot", "lapx": "lap"}.get(solver.package, solver.package))
    x, y = instances.digits(60, 3)
    built = cdist(x.astype(float), y.astype(float), cost)
    best = built[linear_sum_assignment(built)].mean()
    columns, gap = solver.read(solver.solve(solver.build(x, y, cost)))
    value = solvers.value_of(x, y, columns, cost)
    assert value == pytest.approx(best, rel=1e-12 if solver.exact else 1e-6)
    assert abs(gap) < 1e-9 * best if name == "pwgan" else np.isnan(gap)


@pytest.mark.parametrize("columns", [[0, 1, 1], [0, 1, -1], [0, 1]])
def test_invalid_permutations_raise(columns: list[int]) -> None:
    points = np.zeros((3, 2), np.float32)
    with pytest.raises(ValueError, match="not a permutation"):
        solvers.value_of(points, points, np.array(columns), "euclidean")


def test_the_mean_cost_is_that_of_all_pairs() -> None:
    x, y = np.random.default_rng(1).standard_normal((2, 300, 5)) + 2
    assert solvers.mean_cost(x, y, "euclidean") == pytest.approx(cdist(x, y).mean(), rel=0.02)


def test_pot_that_did_not_converge_gave_no_answer() -> None:
    with pytest.raises(solvers.NotConverged, match="numItermax"):
        solvers._converged(np.eye(2), {"warning": "numItermax reached"})


@linux
def test_a_run_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    x, y = instances.digits(600, 0)
    np.savez(tmp_path / "points.npz", x=x, y=y)
    found = measuring.run("scipy", tmp_path / "points.npz", "euclidean", threads=1, limit=60, memory=1)
    built = cdist(x.astype(float), y.astype(float))
    assert found["status"] == "ok"
    assert found["value"] == pytest.approx(built[linear_sum_assignment(built)].mean(), rel=1e-12)
    assert found["cpu_seconds"] == pytest.approx(found["build_seconds"] + found["solve_seconds"])
    # The costs alone are 600 x 600 float64 = 2.9 MB; importing scipy, some 50 MB, is not counted.
    assert 2.5 < found["peak_mb"] < 20
    assert found["gap"] is None


@linux
@pytest.mark.parametrize(("limit", "memory", "status"), [(0.1, 4, "over 0.1 s"), (60, 0.02, "over 0.02 GB")])
def test_a_run_ends_at_its_limits(tmp_path: Path, limit: float, memory: float, status: str) -> None:
    x, y = instances.collapsed_grid(3000, 0)
    np.savez(tmp_path / "points.npz", x=x, y=y)
    assert measuring.run("scipy", tmp_path / "points.npz", "euclidean", 1, limit, memory) == {"status": status}


@linux
def test_what_a_solver_raises_is_its_result(tmp_path: Path) -> None:
    np.savez(tmp_path / "points.npz", x=np.full((4, 2), np.nan, np.float32), y=np.zeros((4, 2), np.float32))
    found = measuring.run("scipy", tmp_path / "points.npz", "euclidean", 1, 60, 1)
    assert found["status"].startswith("failed: ValueError: matrix contains invalid")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MemoryError(), "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory"),
        (solvers.NotConverged("numItermax"), "did not converge"),
        (ModuleNotFoundError("No module named 'ot'", name="ot"), "not installed: ot"),
        (KeyError("a"), "failed: KeyError: 'a'"),
    ],
)
def test_an_error_becomes_a_status(error: Exception, status: str) -> None:
    assert measuring.status_of(error) == status


def test_a_death_becomes_a_status() -> None:
    assert measuring._death(-9) == "killed (out of memory?)"
    assert measuring._death(-11) == "died (SIGSEGV)"
    assert measuring._death(3) == "died (exit status 3)"
    stops = {"over 9 s", "over 2 GB", "out of memory", "killed (out of memory?)"}
    goes_on = {"ok", "did not converge", "died (SIGSEGV)", "failed: ValueError: x", "skipped: over 9 s at n = 10"}
    assert {status for status in stops | goes_on if solvers.exceeds(status)} == stops


def _row(n: int = 100, solver: str = "scipy", status: str = "ok", **changes: object) -> dict[str, object]:
    measured = dict.fromkeys(report.MEASURED, 1.0) if status == "ok" else {}
    place = {"instance": "gaussian-2", "d": 2, "n": n, "solver": solver, "repeat": 0, "status": status}
    return {**place, **measured, "mean_cost": 1.0, **changes}


def test_pending_runs_are_all_that_were_not_made_and_turn() -> None:
    runs = report.as_runs([_row(), _row(200, "pot", repeat=1)])
    everything = transport.pending(report.as_runs([]), [200, 100], ["gaussian-2", "digits"], ["scipy", "pot"], 2)
    todo = transport.pending(runs, [200, 100], ["gaussian-2", "digits"], ["scipy", "pot"], 2)
    made = {(100, "gaussian-2", 0, "scipy"), (200, "gaussian-2", 1, "pot")}
    assert len(everything) == 16 and todo == [run for run in everything if run not in made]
    assert [n for n, *_ in everything] == [100] * 8 + [200] * 8
    first = [next(runs)[3] for _, runs in itertools.groupby(everything, key=lambda run: run[:3])]
    assert first == ["scipy", "pot", "pot", "scipy"] * 2


def test_a_solver_that_exceeded_a_limit_is_not_tried_again() -> None:
    runs = report.as_runs([_row(50), _row(100, status="over 9 s"), _row(100, "pot", "died (SIGSEGV)")])
    assert transport.hopeless(runs, 50, "gaussian-2", "scipy") is None
    assert transport.hopeless(runs, 100, "gaussian-2", "scipy") == "over 9 s"
    assert transport.hopeless(runs, 500, "gaussian-2", "scipy") == "skipped: over 9 s at n = 100"
    assert transport.hopeless(runs, 500, "digits", "scipy") is None
    assert transport.hopeless(runs, 500, "gaussian-2", "pot") is None
    assert transport.hopeless(report.as_runs([]), 500, "gaussian-2", "pot") is None


def test_a_summary_has_medians_and_differences() -> None:
    times = [_row(repeat=repeat, cpu_seconds=seconds) for repeat, seconds in enumerate([3.0, 9.0, 4.0])]
    runs = [*times, _row(solver="fastlap", value=1.5), _row(solver="pwgan", value=1.0, gap=0.25)]
    summary = report.summarise(report.as_runs(runs)).set_index("solver")
    assert list(summary.index) == ["pwgan", "scipy", "fastlap"]
    assert summary.loc["scipy", "cpu_seconds"] == 4
    assert summary["difference"].to_dict() == {"scipy": 0, "fastlap": 0.5, "pwgan": 0}
    assert summary.loc["pwgan", "gap"] == 0.25
    assert list(summary.columns) == [
        *("instance", "d", "n", "status", "build_seconds", "solve_seconds", "cpu_seconds", "wall_seconds"),
        *("peak_mb", "value", "difference", "gap"),
    ]


def test_differences_of_a_value_near_zero_are_relative_to_the_mean_cost() -> None:
    runs = [_row(value=0.0, mean_cost=5.0), _row(solver="pwgan", value=1e-12, gap=2e-12, mean_cost=5.0)]
    ours = report.summarise(report.as_runs(runs)).set_index("solver").loc["pwgan"]
    assert ours["difference"] == pytest.approx(1e-12 / 0.005) and ours["gap"] == pytest.approx(2e-12 / 0.005)


def test_without_scipy_the_smallest_exact_value_is_the_reference() -> None:
    runs = [
        _row(status="over 9 s"),
        _row(solver="pot", value=2.0),
        _row(solver="lapx", value=1.0),
        _row(solver="fastlap", value=0.5),
    ]
    summary = report.summarise(report.as_runs(runs)).set_index("solver")
    assert summary["difference"].drop("scipy").to_dict() == {"lapx": 0, "pot": 1, "fastlap": -0.5}


def test_a_solver_that_failed_once_has_no_time() -> None:
    runs = [_row(), _row(repeat=1, status="over 9 s"), _row(solver="pot")]
    summary = report.summarise(report.as_runs(runs)).set_index("solver")
    assert summary.loc["scipy", "status"] == "over 9 s"
    assert summary.loc["scipy", report.MEASURED].isna().all()


def _written(folder: Path, runs: list[dict[str, object]]) -> str:
    report.as_runs(runs).to_csv(folder / "runs.csv", index=False)
    about = {"processor": "a processor", "cores": "2", "numpy": "2"}
    (folder / "settings.json").write_text(json.dumps(SETTINGS | {"machine": about}))
    report.write(folder)
    assert (folder / "transport.png").read_bytes().startswith(b"\x89PNG")
    return (folder / "transport.md").read_text()


def test_the_table_compares_with_the_fastest_exact_competitor(tmp_path: Path) -> None:
    case = {"instance": "digits", "d": 64}
    text = _written(
        tmp_path,
        [
            *(_row(solver="pwgan", cpu_seconds=2.0, build_seconds=None), _row(solver="scipy", cpu_seconds=4.0)),
            *(_row(solver="pot", cpu_seconds=5.0), _row(solver="fastlap", cpu_seconds=0.5)),
            _row(solver="pwgan", cpu_seconds=3.0, build_seconds=None, **case),
            _row(solver="scipy", status="over 9 s", **case),
            *(_row(solver="pot", cpu_seconds=3.0, **case), _row(solver="fastlap", cpu_seconds=1.0, **case)),
            _row(200, "scipy", "skipped: over 9 s at n = 100"),
        ],
    )
    lines = text.splitlines()
    start = lines.index("Seconds")
    assert lines[start + 2 : start + 7] == [
        "| instance | pwgan | scipy | POT emd | fastlap auction | pwgan ÷ fastest exact |",
        "|---|---:|---:|---:|---:|---:|",
        "| Gaussians, d = 2 | 2 | **4 (1)** | 5 (1) | 0.5 (1) | 0.50 |",
        "| digits with duplicates, d = 64 | 3 | over 9 s | **3 (1)** | 1 (1) | 1.00 |",
        # sqrt(0.5 · 1) = 0.71; scipy finished one; sqrt(2/5 · 1) = 0.63; sqrt(4 · 3) = 3.46.
        "| *pwgan ÷ it, geometric mean* |  | 0.50 (1) | 0.63 (2) | 3.46 (2) | **0.71 (2)** |",
    ]
    assert "| Gaussians, d = 2 | skipped: over 9 s at n = 100 | – |" in lines
    table = pd.read_csv(tmp_path / "transport.csv")
    assert len(table) == 9 and table["status"].value_counts()["ok"] == 7


def test_nothing_but_failures_can_be_drawn(tmp_path: Path) -> None:
    text = _written(tmp_path, [_row(status="over 9 s"), _row(solver="pwgan", status="failed: KeyError: 'a'")])
    assert "failed: KeyError: 'a' | over 9 s | – |" in text


def test_drawing_needs_runs(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="without --draw-only first"):
        report.write(tmp_path)


@given(st.lists(st.floats(-2, 3), min_size=1, max_size=8))
def test_labels_keep_apart_and_in_order(places: list[float]) -> None:
    placed = np.array(figure.spread(places, 0.125, 0.0, 1.0))
    order = np.argsort(places, kind="stable")
    assert (np.diff(placed[order]) >= 0.125 - 1e-9).all()
    assert placed.min() >= -1e-9 and placed.max() <= 1 + 1e-9


def test_labels_far_apart_stay_and_others_move_alike() -> None:
    assert figure.spread([0.9, 0.1], 0.2, 0, 1) == pytest.approx([0.9, 0.1])
    assert figure.spread([0.5, 0.5], 0.2, 0, 1) == pytest.approx([0.4, 0.6])


def test_slips_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, told in (
        (["--solvers", "sciipy"], "Did you mean 'scipy'?"),
        (["--instances", "gaussian2"], "Did you mean 'gaussian-2'?"),
        (["--n", "1"], "--n [1] is too small: at least 2"),
        (["--repeats", "0"], "--repeats 0 is too small"),
    ):
        with pytest.raises(SystemExit):
            transport.parse(arguments)
        assert told in capsys.readouterr().err


@linux
def test_a_rerun_resumes_and_other_settings_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[str] = []

    def stopped_after_three(solver: str, *_: object) -> dict[str, object]:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(solver)
        return {key: value for key, value in _row().items() if key in ("status", *report.MEASURED)}

    arguments = ["--n", "10", "20", "--instances", "gaussian-2", "--solvers", "scipy", "lapx", "--repeats", "1"]
    command = ["transport.py", *arguments, "--out", str(tmp_path)]
    monkeypatch.setattr(transport, "run", stopped_after_three)
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit, match="stopped"):
        transport.main()
    assert report.read_runs(tmp_path / "runs.csv")["n"].tolist() == [10, 10, 20]
    made.clear()
    transport.main()
    assert made == ["lapx"] and (tmp_path / "transport.md").exists()
    monkeypatch.setattr(sys, "argv", [*command, "--threads", "7"])
    with pytest.raises(SystemExit, match="were made with --threads 2: use another --out"):
        transport.main()
