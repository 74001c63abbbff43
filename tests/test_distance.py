"""`pwgan distance`: closed forms through the command line, what is read, and how a slip is answered."""

import io
import json
import logging
import signal
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from pwgan.__main__ import main
from pwgan.distance import read_pair
from pwgan.options import CostName


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(capsys):
    def run(*arguments):
        assert main(["distance", *map(str, arguments), "--device", "cpu", "--json"]) == 0
        return json.loads(capsys.readouterr().out)

    return run


def normal(n, d, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d))


def pictures(folder, images):
    Path(folder).mkdir(parents=True)
    for i, image in enumerate(images):
        Image.fromarray(image).save(f"{folder}/{i:03}.png")


def rgb(n, height=5, width=7, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (n, height, width, 3), dtype=np.uint8)


def test_a_translation_costs_its_length(run):
    np.save("a.npy", normal(40, 3))
    np.save("b.npy", normal(40, 3)[::-1] + np.array([2, -3, 6]))
    found = run("a.npy", "b.npy", "--certify")
    assert found["value"] == pytest.approx(7, rel=1e-12)
    assert (found["samples"], found["dimension"], found["cost"], found["device"]) == (40, 3, "euclidean", "cpu")
    assert abs(found["gap"]) < 1e-12
    assert found["certificate"]["lower"] <= 7 + 1e-13 and found["certificate"]["upper"] >= 7 - 1e-13
    assert found["certificate"]["error"] < 1e-12 and found["certificate"]["violation"] < 1e-12
    assert run("a.npy", "b.npy", "--cost", "sqeuclidean")["value"] == pytest.approx(49, rel=1e-12)


def test_a_permutation_costs_nothing(run):
    np.save("a.npy", normal(40, 3))
    np.save("b.npy", np.random.default_rng(1).permutation(normal(40, 3)))
    found = run("a.npy", "b.npy", "--certify")
    assert found["value"] == found["certificate"]["error"] == 0


def test_on_a_line_sorted_numbers_meet(run):
    x, y = normal(50, 1), 3 * normal(50, 1, 1)
    np.savez("both.npz", x=x, y=y)
    found = run("both.npz:x", "both.npz:y")
    assert found["value"] == pytest.approx(np.abs(np.sort(x, 0) - np.sort(y, 0)).mean(), rel=1e-12)
    assert "certificate" not in found


@pytest.mark.parametrize("cost", get_args(CostName))
def test_scipy_agrees(run, cost):
    x, y = normal(30, 4), normal(30, 4, 1)
    np.save("a.npy", x)
    np.save("b.npy", y)
    costs = cdist(x, y, cost)
    assert run("a.npy", "b.npy", "--cost", cost)["value"] == pytest.approx(
        costs[linear_sum_assignment(costs)].mean(), rel=1e-12
    )


def test_the_first_n_of_both(run, capsys):
    np.save("a.npy", normal(40, 2))
    np.save("b.npy", normal(30, 2) + np.array([3, 4]))
    found = run("a.npy", "b.npy", "--first", 20)
    assert found["samples"] == 20 and found["value"] == pytest.approx(5)
    for first, message in ((31, "b.npy holds 30"), (0, "N >= 1 samples of both sides, got 0")):
        assert main(["distance", "a.npy", "b.npy", "--first", str(first)]) == 2
        assert message in capsys.readouterr().err


def test_rows_that_are_left_out_are_not_looked_at(run):
    rows = normal(40, 2)
    rows[30] = np.nan
    np.save("a.npy", rows)
    assert run("a.npy", "a.npy", "--first", 30)["value"] == 0


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "uint32", "float16", ">f4", ">f8", "bool"])
def test_any_real_type_is_compared_in_its_own_units(run, dtype):
    x = np.random.default_rng(0).integers(0, 200, (20, 2, 3)).astype(dtype)
    y = np.random.default_rng(1).integers(0, 200, (20, 2, 3)).astype(dtype)
    np.save("a.npy", x)
    np.save("b.npy", y)
    costs = cdist(x.reshape(20, 6).astype(float), y.reshape(20, 6).astype(float))
    found = run("a.npy", "b.npy")
    assert found["value"] == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-12)
    assert found["a"] == {
        "source": "a.npy",
        "shape": [2, 3],
        "dtype": str(x.dtype),
        "low": float(x.min()),
        "high": float(x.max()),
        "samples": 20,
    }


def test_large_integers_and_doubles_lose_no_digit(run):
    np.save("a.npy", np.array([[2**53 - 1]]))
    np.save("b.npy", np.array([[2.0**53 - 4]]))
    assert run("a.npy", "b.npy")["value"] == 3


def test_safetensors_of_any_float_type(run):
    x = torch.from_numpy(normal(20, 3)).bfloat16()
    save_file({"fake": x, "real": x.float() + torch.tensor([3.0, 0, 4])}, "both.safetensors")
    found = run("both.safetensors:fake", "both.safetensors:real")
    assert found["value"] == pytest.approx(5, rel=1e-6) and found["a"]["dtype"] == "bfloat16"
    save_file({"only": x}, "one.safetensors")
    assert run("one.safetensors", "both.safetensors:fake")["value"] == 0


def test_a_file_whose_own_name_has_a_colon(run):
    np.savez("a.npz:x.npz", normal(5, 2))
    assert run("a.npz:x.npz", "a.npz:x.npz")["value"] == 0


def test_a_folder_is_its_pixels(run):
    images = rgb(12)
    pictures("a", images)
    pictures("b/sub", np.random.default_rng(1).permutation(images))
    assert run("a", "b")["value"] == 0
    other = rgb(12, seed=3)
    np.save("channels.npy", other.transpose(0, 3, 1, 2))
    costs = cdist(images.reshape(12, -1).astype(float), other.reshape(12, -1).astype(float))
    found = run("a", "channels.npy", "--certify")
    assert found["value"] == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-12)
    assert found["a"]["shape"] == [3, 5, 7] and found["a"]["dtype"] == "uint8" and found["dimension"] == 105
    np.save("flat.npy", other.transpose(0, 3, 1, 2).reshape(12, -1))
    assert run("a", "flat.npy")["value"] == found["value"]


def test_grey_folders_have_one_channel_unless_the_other_is_in_colour(run):
    grey = rgb(6)[..., 0]
    pictures("grey", grey)
    np.save("rows.npy", grey)
    assert run("grey", "rows.npy")["value"] == 0
    pictures("colour", np.repeat(grey[..., None], 3, axis=3))
    found = run("grey", "colour")
    assert found["value"] == 0 and found["a"]["shape"] == found["b"]["shape"] == [3, 5, 7]
    Image.fromarray(rgb(1)[0]).save("grey/zz.png")
    assert run("grey", "grey")["a"]["shape"] == [3, 5, 7]


def test_the_first_images_are_those_of_the_sorted_names():
    images = rgb(12)
    pictures("a", images)
    Path("a/011.png").write_text("damaged, and not asked for")
    x, _ = read_pair("a", "a", first=5)
    np.testing.assert_array_equal(x.points, images[:5].transpose(0, 3, 1, 2).reshape(5, -1))


def test_likely_different_units_are_warned_of(run, caplog):
    pictures("a", rgb(6))
    np.save("b.npy", np.random.default_rng(0).uniform(-1, 1, (6, 3, 5, 7)))
    np.save("c.npy", np.random.default_rng(0).uniform(-1, 255, (6, 3, 5, 7)))
    with caplog.at_level(logging.WARNING):
        run("a", "c.npy")
        assert not caplog.records
        run("b.npy", "a")
    assert "a holds uint8 up to 255 and b.npy float64 in [-1, 1]" in caplog.records[0].getMessage()


def test_the_text_is_aligned_and_says_what_was_read(capsys):
    np.save("a.npy", normal(8, 2))
    np.save("b.npy", normal(8, 2) + 1)
    assert main(["distance", "a.npy", "b.npy", "--certify", "--cost", "sqeuclidean", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert list(lines) == [
        *("value", "gap", "least", "most", "samples", "dimension", "cost", "device", "time", "memory"),
        *("certificate", "violation", "lower", "upper", "error", "A", "B"),
    ]
    assert float(lines["value"].split()[0]) == pytest.approx(2) and lines["value"].endswith("W2²")
    for low, high in (("least", "most"), ("lower", "upper")):
        assert float(lines[low].split()[0]) <= 2 * (1 + 1e-14) and float(lines[high].split()[0]) >= 2 * (1 - 1e-14)
    assert lines["certificate"].startswith("64 pairs")
    assert lines["A"].startswith("a.npy: float64 of shape 2, ")
    assert len({line.index(line.split(maxsplit=1)[1]) for line in out.splitlines()}) == 1


def saved(rows, pickled=False):
    file = io.BytesIO()
    np.save(file, rows, allow_pickle=pickled)
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("b.npy", saved(np.zeros(5)), "a.npy holds 2 numbers per sample (2,), b.npy 1 ()"),
        ("b.npy", saved(np.zeros(())), "shape ()"),
        ("b.npy", saved(np.zeros((5, 0))), "b.npy holds float64 of shape (5, 0); allowed are one or more"),
        ("b.npy", saved(np.zeros((5, 2), complex)), "b.npy holds complex128 of shape (5, 2); allowed"),
        ("b.npy", saved(np.zeros((5, 2), "M8[s]")), "datetime64[s]"),
        ("b.npy", saved(np.zeros((5, 2), "U3")), "<U3"),
        (
            "b.npy",
            saved(np.full((5, 2), {}, object), True),
            "as a .npy array: it holds Python objects",
        ),
        ("b.npy", saved(np.full((5, 2), 2**53 + 2)), "integers beyond ±2^53"),
        ("b.npy", saved(np.zeros((5, 3))), "a.npy holds 2 numbers per sample (2,), b.npy 3 (3,)"),
        ("b.npy", saved(np.array([[0, 0], [0, np.nan], [0, 0], [np.inf, 0], [0, 0]])), "b.npy: 2 of 5 samples hold"),
        ("b.npy", saved(np.array([[0, 0], [0, np.nan], [0, 0], [np.inf, 0], [0, 0]])), "the first is row 1"),
        ("b.npy", saved(np.full((5, 2), 1e300)), "infinite"),
        ("b.npy", b"", "b.npy cannot be read"),
        ("b.npy", b"hello", "b.npy cannot be read"),
        ("b.npy", saved(np.zeros((500, 2)))[:300], "b.npy cannot be read"),
        ("b.npz", b"PK\x03\x04 and no more", "b.npz cannot be read"),
        ("b.safetensors", b"hello", "b.safetensors cannot be read"),
        ("b.csv", b"1,2", "b.csv is neither a folder of images nor a file of an array: .npy, .npz, .safetensors"),
    ],
)
def test_an_unusable_file_is_reported_in_one_line(capsys, name, content, told):
    np.save("a.npy", normal(5, 2))
    Path(name).write_bytes(content)
    assert main(["distance", "a.npy", name, "--device", "cpu"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("pwgan distance: ") and told in err


@pytest.mark.parametrize(
    ("spec", "told"),
    [
        ("two.npz", "two.npz holds 2 arrays: write two.npz:NAME, NAME one of fake, real"),
        ("two.npz:rael", "Did you mean 'real'? Allowed: fake, real"),
        ("two.npy", "there is no two.npy; the nearest name in that folder is 'two.npz'"),
        ("twoo.npz:real", "there is no twoo.npz; the nearest name in that folder is 'two.npz'"),
        ("folder/deep/a.npy", "there is no folder; the nearest name in that folder is"),
        ("empty/a.npy", "there is no empty/a.npy; that folder is empty"),
        ("empty", "holds no images; accepted suffixes"),
        ("a.npy:real", "a.npy holds one array, which has no name: leave out ':real'"),
    ],
)
def test_a_wrong_name_is_answered_with_the_nearest(capsys, spec, told):
    np.save("a.npy", normal(5, 2))
    np.savez("two.npz", real=normal(5, 2), fake=normal(5, 2))
    Path("empty").mkdir()
    assert main(["distance", "a.npy", spec]) == 2
    assert told in capsys.readouterr().err


def test_images_that_cannot_be_compared_are_named(capsys):
    pictures("a", rgb(3))
    Image.fromarray(rgb(1, 9, 4)[0]).save("a/002.png")
    pictures("b", rgb(3))
    Path("b/001.png").write_text("no image")
    pictures("c", rgb(3))
    Image.fromarray(np.arange(16, dtype=np.uint16).reshape(4, 4)).save("c/001.png")
    pictures("d", rgb(3))
    np.save("last.npy", rgb(3))
    for a, b, told in (
        ("a", "a", "a/000.png is 7×5 and a/002.png 4×9 pixels"),
        ("b", "b", "b/001.png cannot be read as an image"),
        ("c", "c", "c/001.png has more than 8 bits per channel; convert it to 8 bits"),
        ("d", "last.npy", "samples differ in shape: d holds (3, 5, 7), last.npy (5, 7, 3)"),
    ):
        assert main(["distance", a, b]) == 2
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and told in err


def test_pickled_code_is_not_run(capsys):
    class Trap:
        def __reduce__(self):
            return (Path.touch, (Path("sprung"),))

    np.save("a.npy", np.array([[Trap()]], dtype=object), allow_pickle=True)
    np.savez("b.npz", np.array([[Trap()]], dtype=object))
    for name in ("a.npy", "b.npz"):
        assert main(["distance", name, name]) == 2
    assert not Path("sprung").exists() and "cannot be read" in capsys.readouterr().err


def test_ctrl_c_ends_in_one_line_with_status_130(here, monkeypatch, capsys):
    def interrupted(*_, **__):
        signal.raise_signal(signal.SIGINT)

    np.save("a.npy", normal(5, 2))
    monkeypatch.setattr("pwgan.transport.empirical.wasserstein", interrupted)
    assert main(["distance", "a.npy", "a.npy", "--device", "cpu"]) == 130
    assert capsys.readouterr() == ("", "pwgan distance: stopped by SIGINT\n")
    assert [path.name for path in here.iterdir()] == ["a.npy"]


def test_the_certificate_is_not_the_solvers_word(run, monkeypatch):
    # A solver that claims a value, a gap and potentials that are false is contradicted.
    from pwgan.transport import empirical as module

    def lie(x, y, cost, **_):
        n = len(x)
        nothing = torch.zeros((), dtype=torch.float64)
        return module.Transport(nothing, torch.arange(n), torch.zeros(n), torch.zeros(n), nothing, nothing, nothing, 0)

    monkeypatch.setattr(module, "wasserstein", lie)
    np.save("a.npy", normal(10, 2))
    np.save("b.npy", normal(10, 2) + np.array([3, 4]))
    found = run("a.npy", "b.npy", "--certify")
    assert found["value"] == found["gap"] == 0
    assert found["certificate"]["value"] == pytest.approx(5) and found["certificate"]["error"] >= 5


def test_the_help_says_what_is_compared(capsys):
    for arguments in (["--help"], ["distance", "--help"]):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        assert end.value.code == 0
    told = " ".join(capsys.readouterr().out.split())
    for fact in ("distance Compute the exact", "0..255", "channel, row, column", "--first N", "FILE.npz:NAME"):
        assert fact in told


def test_unequal_numbers_weigh_less_each(run, capsys):
    x, y = normal(40, 3), normal(60, 3, 1)
    np.save("a.npy", x)
    np.save("b.npy", y)
    found = run("a.npy", "b.npy", "--certify", "--matching", "plan.npy")
    costs = cdist(np.repeat(x, 3, 0), np.repeat(y, 2, 0))
    assert found["value"] == pytest.approx(costs[linear_sum_assignment(costs)].mean(), rel=1e-12)
    assert (found["samples"], found["a"]["samples"], found["b"]["samples"]) == (None, 40, 60)
    assert found["certificate"]["error"] < 1e-12
    plan = np.load("plan.npy")
    assert plan.dtype.names == ("row", "column", "mass") and plan["row"].dtype == np.int64
    assert np.bincount(plan["row"], plan["mass"]) == pytest.approx(np.full(40, 1 / 40))
    assert np.bincount(plan["column"], plan["mass"]) == pytest.approx(np.full(60, 1 / 60))
    assert plan["mass"] @ cdist(x, y)[plan["row"], plan["column"]] == pytest.approx(found["value"], rel=1e-12)
    assert main(["distance", "a.npy", "b.npy", "--device", "cpu", "--certify"]) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert lines["samples"].startswith("40, 60") and lines["samples"].endswith(
        "of A, which weigh 1/40 each, and of B, 1/60 each"
    )
    assert lines["value"].endswith("mean distance of the optimal plan: W1") and lines["certificate"].startswith("2400")


def test_numbers_that_no_solver_takes_are_refused_with_the_option_that_helps(capsys):
    np.save("a.npy", np.zeros((5001, 2), np.float32))
    np.save("b.npy", np.zeros((5003, 2), np.float32))
    assert main(["distance", "a.npy", "b.npy", "--device", "cpu"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.endswith("--first 5001\n")


@pytest.mark.parametrize("cost", get_args(CostName))
def test_the_matching_is_a_file_on_request(run, here, cost):
    x, y = normal(30, 4), normal(30, 4, 1)
    np.save("a.npy", x)
    np.save("b.npy", y)
    found = run("a.npy", "b.npy", "--cost", cost, "--matching", "out.npy", "--certify")
    matching = np.load("out.npy")
    assert matching.dtype == np.int64 and sorted(matching) == list(range(30))
    assert cdist(x, y, cost)[np.arange(30), matching].mean() == pytest.approx(found["value"], rel=1e-12)
    assert found["certificate"]["error"] < 1e-12
    assert sorted(path.name for path in here.iterdir()) == ["a.npy", "b.npy", "out.npy"]


@pytest.mark.parametrize(
    ("file", "told"),
    [
        ("out.txt", "--matching out.txt: a matching is written to a file that ends in .npy"),
        ("folder.npy", "--matching folder.npy: a matching is written to a file that ends in .npy"),
        ("a.npy", "--matching a.npy: that is one of the inputs, which would be overwritten"),
        ("link.npy", "--matching link.npy: that is one of the inputs"),
    ],
)
def test_a_matching_that_cannot_be_written_there_is_refused_before_the_solve(capsys, monkeypatch, file, told):
    np.save("a.npy", normal(5, 2))
    Path("folder.npy").mkdir()
    Path("link.npy").symlink_to("a.npy")
    monkeypatch.setattr("pwgan.distance.read_pair", None)
    assert main(["distance", "a.npy", "a.npy", "--matching", file]) == 2
    assert told in capsys.readouterr().err


def test_a_row_of_numbers_is_points_on_a_line(run, capsys):
    np.save("a.npy", np.array([3, 1, 2]))
    np.save("b.npy", np.array([[1.5], [3.5], [2.5]]))
    found = run("a.npy", "b.npy")
    assert found["value"] == 0.5 and found["dimension"] == 1 and found["a"]["shape"] == []
    assert main(["distance", "a.npy", "b.npy", "--device", "cpu"]) == 0
    assert "A            a.npy: int64 of shape 1, 1 to 3\n" in capsys.readouterr().out


def test_a_zero_vector_has_no_cosine(capsys):
    x = normal(9, 4)
    x[6] = 0
    np.save("a.npy", x)
    np.save("b.npy", normal(9, 4, 1))
    assert main(["distance", "a.npy", "b.npy", "--cost", "cosine", "--device", "cpu"]) == 2
    assert "cost cosine: a.npy, row 6 is the zero vector" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("n", "k", "d"), [(40, 40, 50), (2600, 2600, 3), (2510, 2510, 40), (60, 40, 3), (9000, 9000, 1)]
)
def test_the_output_is_a_function_of_the_files(run, n, k, d):
    np.save("a.npy", normal(n, d))
    np.save("b.npy", normal(k, d, 1).astype(np.float32))
    found, threads = [], torch.get_num_threads()
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            found.append(run("a.npy", "b.npy", "--matching", f"out{number}.npy"))
    finally:
        torch.set_num_threads(threads)
    # Of the solvers that multiply matrices, bounds may be rounded differently by several threads, but not the value.
    for name in ("seconds", "peak_bytes", *(("gap", "rounds") if d > 32 else ())):
        for side in found:
            del side[name]
    assert found[0] == found[1]
    assert Path("out1.npy").read_bytes() == Path("out2.npy").read_bytes()


def test_a_terminal_shows_the_stage(capsys, monkeypatch):
    np.save("a.npy", normal(5, 2))
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert main(["distance", "a.npy", "a.npy", "--certify", "--device", "cpu"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("value") and err.index("reading") < err.index("matching") < err.index("certificate")


def test_the_bytes_are_the_same_in_every_locale(monkeypatch):
    np.save("a.npy", normal(5, 2))
    printed = []
    for encoding in ("ascii", "latin-1", "utf-8"):
        monkeypatch.setattr("sys.stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        assert main(["distance", "a.npy", "a.npy", "--cost", "sqeuclidean", "--device", "cpu"]) == 0
        sys.stdout.flush()
        printed.append(sys.stdout.buffer.getvalue())
    # Time and memory are measured.
    kept = [[line for line in text.splitlines() if not line.startswith((b"time", b"memory"))] for text in printed]
    assert kept[0] == kept[1] == kept[2] and "W2²".encode() in kept[0][0]
