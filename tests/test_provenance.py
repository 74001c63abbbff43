"""Which files a stage depends on: followed through imports as Python follows them, less a short list."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from pwgan import provenance
from pwgan.batches import samplers
from pwgan.provenance import EXEMPT, ROOT, closure

STAGES = {
    "train": "pwgan.training.run",
    "measure": "pwgan.measures.measuring",
    "signal": "pwgan.measures.signal",
    "data": "pwgan.data.store",
    "theory": "pwgan.theory.tables",
    "claims": "pwgan.report.claims.page",
}


def imported_by(module):
    """Return the files of the package that Python itself loads when a module is imported."""
    code = (
        f"import sys, {module}\n"
        "print('\\n'.join(m.__file__ for n, m in sys.modules.items() if n.partition('.')[0] == 'pwgan' and m.__file__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {Path(line).relative_to(ROOT).as_posix() for line in done.stdout.split()}


@pytest.mark.parametrize("stage", STAGES)
def test_a_closure_holds_all_that_python_imports(stage):
    exempt = {
        path for name in EXEMPT for path in (f"{name.replace('.', '/')}.py", f"{name.replace('.', '/')}/__init__.py")
    }
    needed = imported_by(STAGES[stage]) - exempt
    assert needed and needed <= set(closure(STAGES[stage]))


def test_imports_inside_functions_are_followed():
    files = closure("pwgan.training.run")
    # wasserstein imports its engine for large problems when it is called with one.
    assert {"pwgan/transport/solvers/exact.py", "pwgan/transport/solvers/dense.py", "pwgan/data/store.py"} <= set(files)


def test_lazily_exported_names_are_followed_to_their_module(tmp_path, monkeypatch):
    package = tmp_path / "pwgan"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "door").mkdir()
    (package / "door/__init__.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pwgan.door.room import solve\n"
        "def __getattr__(name): ...\n"
    )
    (package / "door/room.py").write_text("")
    (package / "user.py").write_text("from pwgan.door import solve\n")
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    clear()
    try:
        assert closure("pwgan.user") == ["pwgan/door/__init__.py", "pwgan/door/room.py", "pwgan/user.py"]
    finally:
        clear()


def clear():
    for function in (provenance.closure, provenance._imports, provenance._exported):
        function.cache_clear()


def test_what_registries_find_is_named_beside_them():
    """The bias of every sampler is part of the theory, and sampling by name is part of training and measuring."""
    modules = [cls.__module__ for cls in samplers().values()]
    files = closure("pwgan.theory.tables", *modules)
    assert {f"pwgan/batches/{name}.py" for name in ("random", "stratified", "stratify", "dpp", "kdpp")} <= set(files)
    for stage in ("pwgan.training.run", "pwgan.measures.measuring", "pwgan.theory.tables"):
        assert "pwgan/batches/drawing.py" in closure(stage)
    assert "pwgan/limits.py" in closure("pwgan.measures.measuring")


def test_what_only_a_type_checker_imports_is_not(tmp_path, monkeypatch):
    package = tmp_path / "pwgan"
    package.mkdir()
    (package / "__init__.py").write_text("")
    for name in ("a", "b", "c", "d"):
        (package / f"{name}.py").write_text("")
    (package / "a.py").write_text(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from pwgan.b import x\nelse:\n    import pwgan.c\n"
        "def f():\n    from pwgan import d\n"
    )
    monkeypatch.setattr(provenance, "ROOT", tmp_path)
    clear()
    try:
        assert closure("pwgan.a") == ["pwgan/a.py", "pwgan/c.py", "pwgan/d.py"]
    finally:
        clear()


def test_a_method_is_in_the_closure_of_its_own_cells_alone():
    alone = set(closure("pwgan.training.run"))
    gan = set(closure("pwgan.training.run", "pwgan.methods.gan"))
    assert gan - alone == {"pwgan/methods/gan.py"}
    assert not any(
        file.startswith("pwgan/methods/") for file in alone - {f"pwgan/methods/{name}.py" for name in ("base", "pairs")}
    )


def test_a_measure_on_demand_is_not_in_the_closure_of_the_others():
    assert "pwgan/measures/signal.py" not in closure("pwgan.measures.measuring")
    assert not any(file.startswith("pwgan/report/") for file in closure("pwgan.measures.measuring"))


def test_nothing_depends_on_what_changes_no_result():
    files = closure(*STAGES.values())
    assert not {"pwgan/options.py", "pwgan/cells.py", "pwgan/stages.py", "pwgan/study.py"} & set(files)


def test_every_exemption_is_of_a_module_and_has_a_reason():
    for module, reason in EXEMPT.items():
        assert provenance._path(module) is not None and reason


def test_a_module_outside_the_package_is_refused():
    for name in ("pwgan.nothing", "torch"):
        with pytest.raises(ValueError, match="not a module of the package"):
            closure(name)


def test_imports_are_absolute():
    """Relative imports would not be followed."""
    for path in (ROOT / "pwgan").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.ImportFrom) and node.level), path
