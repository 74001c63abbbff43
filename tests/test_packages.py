"""The lock, the conda environment and the image of the container name the packages of pyproject.toml."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
JOBS = [
    *PROJECT["dependencies"],
    *(text for extra in ("fidelity", "effnet", "dinov2", "images") for text in EXTRAS[extra]),
]
"""What the jobs of a study import."""
CONDA_NAMES = {"pytorch": "torch"}
DOCKERFILE = (ROOT / "envs" / "Dockerfile").read_text()


def bounds(lines):
    """Return the versions that requirements accept, by name."""
    named = map(Requirement, lines)
    return {CONDA_NAMES.get(one.name.lower(), one.name.lower()): str(one.specifier) for one in named}


def test_the_lock_satisfies_every_requirement():
    pinned = dict(re.findall(r"^([\w.-]+)==([^ ;]+)", (ROOT / "envs" / "requirements.lock").read_text(), re.MULTILINE))
    for text in [*PROJECT["dependencies"], *(text for extra in EXTRAS.values() for text in extra)]:
        wanted = Requirement(text)
        assert Version(pinned[wanted.name.lower()]) in wanted.specifier, text


def test_every_package_of_the_locks_has_a_hash():
    for name in ("requirements.lock", "bootstrap.lock"):
        blocks = re.split(r"\n(?=\S)", (ROOT / "envs" / name).read_text().strip())
        packages = [block for block in blocks if not block.startswith("#")]
        assert packages and all("--hash=sha256:" in block for block in packages)


def test_the_conda_environment_names_the_same_packages():
    named = yaml.safe_load((ROOT / "envs" / "pwgan.yaml").read_text())["dependencies"]
    conda = [one for one in named if isinstance(one, str) and one != "pip"]
    (pip,) = (one["pip"] for one in named if isinstance(one, dict))
    python = next(one for one in conda if one.startswith("python="))
    conda.remove(python)
    assert Version(python.removeprefix("python=")) in Requirement("python" + PROJECT["requires-python"]).specifier
    assert bounds([*conda, *pip]) == bounds(JOBS)


def test_the_image_copies_what_the_workflow_reads():
    copied = [line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY")]
    sources = {name for names in copied for name in names}
    assert all((ROOT / name).exists() for name in sources)
    read = {"Snakefile", "config.yaml", "workflow", "pwgan", "profiles", "envs", "Makefile", "pyproject.toml"}
    assert read <= sources
    # hatchling refuses to build without the files that pyproject.toml names.
    assert {PROJECT["readme"], *PROJECT["license-files"]} <= sources


def test_the_image_has_a_python_that_the_project_accepts():
    (version,) = re.findall(r"^FROM python:([\d.]+)", DOCKERFILE, re.MULTILINE)
    assert Version(version) in Requirement("python" + PROJECT["requires-python"]).specifier
