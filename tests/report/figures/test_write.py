"""Writing: every file of the folder, whole or not at all, and nothing elsewhere."""

import subprocess
import sys

import pandas as pd
import pytest
from PIL import Image

from pwgan.errors import Refused
from pwgan.report import figures, plugins
from pwgan.report.figures import each, folders, load, write_figures
from pwgan.report.frames import read

pytestmark = pytest.mark.filterwarnings("error")
ONE = {"datasets": ("ring8",), "methods": ("gan",), "sizes": (16,), "seeds": 2}

NEW = """
from matplotlib.figure import Figure
def data(runs): return runs[["method", "seed"]]
def draw(frame, highlight):
    figure = Figure()
    figure.suptitle(f"{len(frame)} {highlight}")
    return figure
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of figures with only those that a test puts there, importable as pwgan.report.figures."""
    place = tmp_path / "plugins/report/figures"
    (place / "each").mkdir(parents=True)
    monkeypatch.setattr(plugins, "PACKAGE", tmp_path / "plugins")
    monkeypatch.setattr(figures, "__path__", [str(place)])
    monkeypatch.setattr(each, "__path__", [str(place / "each")])
    yield place
    for name in [name for name in sys.modules if name.startswith("pwgan.report.figures.") and "_made_up" in name]:
        del sys.modules[name]


def test_every_module_becomes_a_csv_and_a_page(study, tmp_path):
    results, _ = study(**ONE)
    before = {path for path in results.rglob("*") if path.is_file()}
    write_figures(results, tmp_path / "out")
    names = plugins.figure_names(["ring8"])
    assert {"bias", "signal", "schedules", "samples-ring8", "interpolation-ring8"} <= set(names)
    made = {path.name for path in (tmp_path / "out").iterdir()}
    assert made == {f"{name}.{suffix}" for name in names for suffix in ("csv", "png")}
    assert {path for path in results.rglob("*") if path.is_file()} == before
    for path in (tmp_path / "out").glob("*.png"):
        with Image.open(path) as image:
            assert 900 <= image.width <= 1500 and 150 <= image.height <= 1500, path.name


def test_the_same_figure_has_the_same_bytes_in_every_format(study, tmp_path, folder):
    results, _ = study(**ONE)
    (folder / "novel_made_up.py").write_text(NEW)
    for out in ("a", "b"):
        write_figures(results, tmp_path / out, formats=["svg", "pdf"])
    made = {path.suffix: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    assert made == {path.suffix: path.read_bytes() for path in (tmp_path / "b").iterdir()}
    assert made[".pdf"].startswith(b"%PDF") and b"<svg" in made[".svg"][:500] and b"PNG" in made[".png"][:8]


def test_a_new_file_is_drawn(study, tmp_path, folder):
    results, _ = study(**ONE)
    (folder / "novel_made_up.py").write_text(NEW)
    (folder / "each/set_made_up.py").write_text(NEW.replace("data(runs)", "data(dataset, runs)"))
    write_figures(results, tmp_path / "out")
    made = {path.name for path in (tmp_path / "out").iterdir()}
    stems = ("novel_made_up", "set_made_up-ring8")
    assert made == {f"{stem}.{suffix}" for stem in stems for suffix in ("csv", "png")}
    assert len(load(tmp_path / "out/novel_made_up.csv")) == 2


def test_a_broken_figure_leaves_the_others_and_its_own_old_files_and_keeps_its_traceback(study, tmp_path, folder):
    results, _ = study(**ONE)
    (folder / "a_made_up.py").write_text(NEW.replace("figure = Figure()", "raise KeyError('broken')"))
    (folder / "b_made_up.py").write_text(NEW)
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a_made_up.csv").write_text("old")
    with pytest.raises(KeyError, match="broken") as caught:
        write_figures(results, tmp_path / "out")
    assert caught.value.__notes__ == ["while drawing a_made_up"]
    assert caught.traceback[-1].name == "draw"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"a_made_up.csv", "b_made_up.csv", "b_made_up.png"}
    assert (tmp_path / "out/a_made_up.csv").read_text() == "old"
    (folder / "c_made_up.py").write_text("import nothing_of_this_name")
    with pytest.raises(ExceptionGroup) as both:
        write_figures(results, tmp_path / "out")
    assert [type(error) for error in both.value.exceptions] == [KeyError, ModuleNotFoundError]


def test_a_method_that_the_study_lacks_is_refused_with_the_nearest(study, tmp_path):
    results, _ = study(**ONE)
    with pytest.raises(Refused, match="'gan'"):
        write_figures(results, tmp_path / "out", highlight=["gam"])


def test_draw_gets_the_methods_of_the_study_in_its_order(study, tmp_path, folder, monkeypatch):
    results, _ = study(**ONE | {"methods": ("pwgan", "gan", "b", "c", "d", "e", "f")})
    (folder / "novel_made_up.py").write_text(NEW)
    seen = []
    monkeypatch.setattr("pwgan.report.figures._render", lambda figure, page: seen.append(figure.get_suptitle()))
    write_figures(results, tmp_path / "out")
    write_figures(results, tmp_path / "out", highlight=["f", "gan"])
    assert seen == ["14 ['pwgan', 'gan', 'b', 'c', 'd', 'e']", "14 ['f', 'gan']"]


def test_folders_are_the_first_blocks_and_the_reference(study):
    results, cells = study(datasets=("ring8",), methods=("gan",), sizes=(16, 64), seeds=8)
    held = folders(results, read(results, "runs"), "ring8")
    assert held.pop(("data", None)) == results / "ring8/data/seeds0-3"
    assert held == {(method, m): path.parent for _, method, m, path in cells}


def test_a_csv_gives_back_names_that_look_like_nothing(tmp_path):
    pd.DataFrame({"method": ["nan", "null"], "batch_size": [1, None], "value": [1.0, None]}).to_csv(
        tmp_path / "a.csv", index=False
    )
    frame = load(tmp_path / "a.csv")
    assert frame["method"].tolist() == ["nan", "null"] and frame["value"].isna().tolist() == [False, True]


def test_the_verb_draws(study, tmp_path, folder):
    from pwgan.__main__ import main

    results, _ = study(**ONE)
    (folder / "novel_made_up.py").write_text(NEW)
    where = ["--results", str(results), "--output", str(tmp_path / "out")]
    assert main(["figures", *where, "--highlight", "--formats", "png", "svg"]) == 0
    assert {path.suffix for path in (tmp_path / "out").iterdir()} == {".csv", ".png", ".svg"}
    assert main(["figures", *where, "--highlight", "absent"]) == 2


def test_drawing_imports_no_torch():
    code = (
        "import sys; from pwgan.report import plugins; assert 'numpy' not in sys.modules;"
        "[plugins.load(kind, name) for kind in ('figures', 'figures/each') for name in plugins.names(kind)];"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
