"""The version of a user's files changes with their names and contents, and with nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pwgan import sources
from pwgan.data.files import Array, Folder
from pwgan.data.idx import Mnist
from pwgan.data.torchvision import CelebA
from pwgan.sources import version

OLD = 1_700_000_000 * 10**9


def write(path: Path, content: bytes, time: int = OLD) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    os.utime(path, ns=(time, time))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("one.png", "a/two.png", "a/b/three.png"):
        write(tmp_path / "pictures" / name, name.encode())
    return tmp_path / "pictures"


@pytest.fixture
def now(folder: Path, tmp_path: Path) -> Callable[[], str]:
    """Return the version of the folder, as a new plan would find it."""
    return lambda: version(Folder(path=folder).sources(), tmp_path / "record.json")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of the files whose contents are read from now on."""
    names: list[str] = []
    original = sources._hash
    monkeypatch.setattr(sources, "_hash", lambda path: names.append(Path(path).name) or original(path))
    return names


def overwrite(folder: Path) -> None:
    write(folder / "a/two.png", b"a/TWO.png", OLD + 1)


def overwrite_with_an_older_file(folder: Path) -> None:
    write(folder / "a/b/three.png", b"another", OLD - 10**9)


def overwrite_and_keep_the_size(folder: Path) -> None:
    write(folder / "one.png", b"ONE.png", OLD + 1)


def add(folder: Path) -> None:
    write(folder / "a/b/c/four.png", b"four")


def remove(folder: Path) -> None:
    (folder / "a/b/three.png").unlink()


def rename(folder: Path) -> None:
    (folder / "a/two.png").rename(folder / "a/zwei.png")


def move_to_another_subfolder(folder: Path) -> None:
    (folder / "a/two.png").rename(folder / "a/b/two.png")


def exchange(folder: Path) -> None:
    first, second = (folder / name for name in ("one.png", "a/two.png"))
    contents = first.read_bytes(), second.read_bytes()
    write(first, contents[1], OLD + 1)
    write(second, contents[0], OLD + 1)


CHANGES = [
    overwrite,
    overwrite_with_an_older_file,
    overwrite_and_keep_the_size,
    add,
    remove,
    rename,
    move_to_another_subfolder,
    exchange,
]


@pytest.mark.fault("stale inputs")
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_seen_and_its_reversal_too(now, folder, tmp_path, change) -> None:
    before = now()
    shutil.copytree(folder, tmp_path / "kept")
    change(folder)
    after = now()
    assert after != before and now() == after
    shutil.rmtree(folder)
    (tmp_path / "kept").rename(folder)
    assert now() == before


def test_a_file_changed_within_the_resolution_of_its_time_is_seen(now, folder) -> None:
    write(folder / "one.png", b"first ", time := sources.time.time_ns())
    before = now()
    write(folder / "one.png", b"second"[:6], time)
    assert now() != before


def test_touched_copied_and_moved_files_are_the_same(now, folder, tmp_path) -> None:
    before = now()
    for path in folder.rglob("*.png"):
        path.touch()
    assert now() == before
    (folder / "notes.txt").write_text("no picture")
    (folder / ".hidden.png").write_bytes(b"not read")
    assert now() == before
    copy = shutil.copytree(folder, tmp_path / "elsewhere/copy", copy_function=shutil.copyfile)
    assert version(Folder(path=copy).sources(), tmp_path / "another.json") == before


def test_unchanged_files_are_read_once(now, folder, read) -> None:
    now()
    assert sorted(read) == ["one.png", "three.png", "two.png"]
    now()
    assert len(read) == 3
    overwrite(folder)
    now()
    assert read[3:] == ["two.png"]


def test_a_moved_study_reads_nothing_again(folder, read, tmp_path) -> None:
    before = version(Folder(path=folder).sources(), tmp_path / "record.json")
    folder.rename(tmp_path / "moved")
    assert version(Folder(path=tmp_path / "moved").sources(), tmp_path / "record.json") == before
    assert len(read) == 3


@pytest.mark.fault("stale inputs")
@pytest.mark.parametrize("content", ["", "[]", '{"files": {"/one.png": 3}}', "\0"])
def test_a_record_that_is_none_changes_nothing(now, tmp_path, content) -> None:
    before = now()
    (tmp_path / "record.json").write_text(content)
    assert now() == before


def test_a_record_that_cannot_be_written_changes_nothing(folder, tmp_path) -> None:
    (tmp_path / "file").touch()
    files = Folder(path=folder).sources()
    assert version(files, tmp_path / "file/record.json") == version(files, tmp_path / "record.json")


@pytest.mark.fault("stale inputs", count=2)
def test_a_pipe_or_a_link_to_nothing_is_not_waited_for(tmp_path) -> None:
    write(tmp_path / "one.png", b"one")
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "nothing")
    files = [tmp_path / name for name in ("one.png", "pipe.png", "link.png")]
    found = [version(files[:count], tmp_path / "record.json") for count in (1, 2, 3)]
    assert len(set(found)) == 3 and version(files, tmp_path / "record.json") == found[-1]


@pytest.mark.fault("stale inputs", count=2)
def test_an_array_and_its_labels_are_both_seen(tmp_path) -> None:
    write(tmp_path / "x.npy", b"points")
    write(tmp_path / "labels/y.npy", b"labels")
    files = Array(path=tmp_path / "x.npy", labels=tmp_path / "labels/y.npy").sources()
    found = [version(files, tmp_path / "record.json")]
    for path in files:
        write(path, path.read_bytes() + b"!", OLD + 1)
        found.append(version(files, tmp_path / "record.json"))
    assert len(set(found)) == 3


@pytest.mark.fault("stale inputs")
def test_the_files_of_a_root_are_seen(tmp_path) -> None:
    for name in Mnist.needed:
        write(tmp_path / name, name.encode())
    files = Mnist(root=tmp_path).sources()
    before = version(files, tmp_path / "record.json")
    write(tmp_path / Mnist.needed[0], b"others", OLD + 1)
    assert version(Mnist(root=tmp_path).sources(), tmp_path / "record.json") != before
    assert Mnist().sources() == []


def test_the_pictures_of_a_root_are_its_sources(tmp_path) -> None:
    for name in CelebA.needed[1:]:
        write(tmp_path / name, b"")
    write(tmp_path / "celeba/img_align_celeba/000001.jpg", b"")
    assert tmp_path / "celeba/img_align_celeba/000001.jpg" in CelebA(root=tmp_path).sources()


@pytest.mark.fault("stale inputs", count=2)
def test_a_download_is_no_change_but_what_is_changed_later_is(tmp_path) -> None:
    record = tmp_path / "record.json"
    before = version(Mnist(root=tmp_path).sources(), record)
    for name in Mnist.needed:
        write(tmp_path / name, name.encode())
    assert version(Mnist(root=tmp_path).sources(), record) == before
    write(tmp_path / Mnist.needed[2], b"others", OLD + 1)
    after = version(Mnist(root=tmp_path).sources(), record)
    assert after != before and version(Mnist(root=tmp_path).sources(), record) == after
