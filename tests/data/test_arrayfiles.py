"""Files of arrays are read whole, or refused in one line that names the file."""

import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from pwgan.__main__ import main
from pwgan.data.arrayfiles import map_npy, read_array
from pwgan.data.files import Array
from pwgan.errors import Refused

damaged = pytest.mark.fault("damaged arrays")
ROWS = np.random.default_rng(0).normal(size=(30, 3))


def npy(header: str, body: bytes = b"", version: bytes = b"\x01\x00") -> bytes:
    """Return a .npy file with any header."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY" + version + struct.pack("<H" if version[0] == 1 else "<I", len(text)) + text + body


def stated(shape: object, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


BODY = ROWS.tobytes()
FILES = {
    "python literal cut short": (npy("{'descr': '<f8', 'fortran_order': False, 'shape': (30, 3), ("), "TokenError"),
    "no literal": (npy("{'descr': '<f8' 'fortran_order' = , 'shape': (30, 3)"), "cannot be read as a .npy array"),
    "nested": (npy("(" * 5000), "cannot be read as a .npy array"),
    "nested and closed": (npy("-" * 9000 + "1"), "cannot be read as a .npy array"),
    "longer than allowed": (npy(stated((30, 3)) + " " * 20000, BODY), "Header info length"),
    "no such key": (npy("{'descr': '<f8', 'shape': (30, 3)}", BODY), "correct keys"),
    "no such type": (npy(stated((30, 3), "'<q9'"), BODY), "descr is not a valid dtype"),
    "zero bytes in the header": (npy(stated((30, 3)).replace("False", "Fal\0e"), BODY), "cannot be read"),
    "objects": (npy(stated((30, 3), "'|O'"), BODY), "holds Python objects, which are never loaded"),
    "structured": (npy(stated((30,), "[('a', '<f8'), ('b', 'O')]"), BODY), "holds Python objects"),
    "of no bytes": (npy(stated((30, 3), "'|S0'"), BODY), "its header states |S0 of shape (30, 3)"),
    "absurd shape": (npy(stated((10**12, 10**12)), BODY), "states 8000000000000000000000000 bytes of values, but 720"),
    "shape beyond 64 bits": (npy(stated((2**61, 8)), BODY), "states 147573952589676412928 bytes"),
    "shape that overflows to nothing": (npy(stated((2**32, 2**32)), BODY), "bytes of values, but 720 follow"),
    "negative shape": (npy(stated((-30, -3)), BODY), "its header states float64 of shape (-30, -3)"),
    "shape of text": (npy(stated("'abc'"), BODY), "shape is not valid"),
    "fewer rows stated": (npy(stated((29, 3)), BODY), "states 696 bytes of values, but 720 follow"),
    "two arrays": (npy(stated((30, 3)), BODY) * 2, "states 720 bytes of values, but "),
    "format 3": (npy(stated((30, 3)), BODY, b"\x03\x00"), "its format is (3, 0)"),
    "format 9": (npy(stated((30, 3)), BODY, b"\x09\x00"), "cannot be read as a .npy array"),
    "nothing": (b"", "cannot be read as a .npy array"),
    "text": (b"1.0, 2.0\n", "the magic string is not correct"),
}


@damaged
@pytest.mark.parametrize("kind", FILES)
def test_a_damaged_npy_file_is_named_in_one_line(tmp_path, capsys, kind):
    content, told = FILES[kind]
    path = tmp_path / "bad.npy"
    path.write_bytes(content)
    assert main(["distance", str(path), str(path)]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and str(path) in err and told in err
    with pytest.raises(Refused, match=r"bad\.npy"):
        Array(path=path).sample_shape()


@pytest.mark.parametrize("version", [b"\x01\x00", b"\x02\x00"])
def test_both_formats_of_numbers_are_read(tmp_path, version):
    (tmp_path / "a.npy").write_bytes(npy(stated((30, 3)), BODY, version))
    np.testing.assert_array_equal(map_npy(tmp_path / "a.npy"), ROWS)
    (tmp_path / "b.npy").write_bytes(npy(stated("(30L, 3L)"), BODY, version))  # by Python 2
    np.testing.assert_array_equal(map_npy(tmp_path / "b.npy"), ROWS)


def written(folder: Path) -> list[Path]:
    np.save(folder / "rows.npy", ROWS)
    np.save(folder / "columns.npy", np.asfortranarray(ROWS))
    np.savez(folder / "stored.npz", x=ROWS)
    np.savez_compressed(folder / "deflated.npz", x=ROWS)
    save_file({"x": torch.from_numpy(ROWS)}, folder / "rows.safetensors")
    return sorted(folder.iterdir())


def damage(whole: bytes, rng: np.random.Generator) -> bytes:
    """Flip, cut or insert bytes: in the header, in the values or in the directory at the end."""
    bad = bytearray(whole)
    place = int(rng.integers(min(len(bad), 140) if rng.random() < 0.6 else len(bad)))
    if rng.random() < 0.3:
        place = len(bad) - 1 - place
    kind = rng.integers(4)
    if kind == 0:
        bad[place] = rng.integers(256)
    elif kind == 1:
        bad[place] = ord(rng.choice(list("0123456789(){}[]'\",:<>|fiucTF \n")))
    elif kind == 2:
        del bad[place:]
    else:
        bad[place:place] = rng.bytes(int(rng.integers(1, 9)))
    return bytes(bad)


@pytest.mark.fault("damaged arrays", count=1500)
def test_damage_is_refused_wherever_the_format_can_tell(tmp_path):
    rng = np.random.default_rng(0)
    for path in written(tmp_path):
        whole = path.read_bytes()
        refused = 0
        for _ in range(300):
            bad = damage(whole, rng)
            path.write_bytes(bad)
            try:
                rows = read_array(path)
            except Refused as error:
                refused += 1
                assert str(error).startswith(f"{path} ")
                continue
            assert tuple(rows.shape) == (30, 3)
            # An archive has checksums. The other formats have none: a byte of their values or type may be another.
            if path.suffix == ".npz" or len(bad) != len(whole):
                np.testing.assert_array_equal(np.asarray(rows), ROWS)
        assert refused > 100


@pytest.mark.fault("damaged arrays", count=300)
def test_a_damaged_data_set_is_refused(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    whole = (tmp_path / "rows.npy").read_bytes()
    rng = np.random.default_rng(1)
    for _ in range(300):
        bad = damage(whole, rng)
        (tmp_path / "bad.npy").write_bytes(bad)
        data = Array(path=tmp_path / "bad.npy", labels=None)
        try:
            split = data.load()
        except Refused as error:
            assert "bad.npy" in str(error)
        else:
            assert split.train.shape == (27, 3) and len(bad) == len(whole)


@damaged
def test_damaged_labels_are_refused(tmp_path):
    np.save(tmp_path / "rows.npy", ROWS)
    (tmp_path / "labels.npy").write_bytes(FILES["python literal cut short"][0])
    with pytest.raises(Refused, match=r"labels\.npy cannot be read as a \.npy array: TokenError"):
        Array(path=tmp_path / "rows.npy", labels=tmp_path / "labels.npy").load()


def archive(folder: Path, method: int = zipfile.ZIP_STORED, name: str = "x.npy", content: bytes | None = None) -> Path:
    stream = io.BytesIO()
    np.save(stream, ROWS)
    with zipfile.ZipFile(folder / "a.npz", "w", method) as file:
        file.writestr(name, stream.getvalue() if content is None else content)
    return folder / "a.npz"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_archives_of_any_compression_are_read_and_their_damage_is_refused(tmp_path, method):
    path = archive(tmp_path, method)
    np.testing.assert_array_equal(read_array(path), ROWS)
    np.testing.assert_array_equal(read_array(path, "x"), ROWS)
    whole = path.read_bytes()
    path.write_bytes(whole[:200] + b"\xff\xff\xff\xff" + whole[204:])
    with pytest.raises(Refused, match=r"a\.npz cannot be read as a \.npz array"):
        read_array(path)


@damaged
@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"no array", "magic string is not correct"),
        (npy(stated((29, 3)), BODY), "states 696 bytes of values, but 720 follow"),
        (npy(stated((10**9, 10**9)), BODY), "bytes of values, but 720 follow"),
        (npy("(" * 5000), "cannot be read"),
    ],
)
def test_a_member_that_is_no_array_is_refused(tmp_path, content, told):
    path = archive(tmp_path, content=content)
    with pytest.raises(Refused) as refusal:
        read_array(path)
    assert str(refusal.value).startswith(f"{path} ") and told in str(refusal.value)


@damaged
def test_an_archive_with_a_password_is_refused(tmp_path):
    path = archive(tmp_path)
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(Refused, match=r"a\.npz cannot be read .*password"):
        read_array(path)


def test_members_that_are_no_arrays_are_not_taken_for_one(tmp_path):
    path = archive(tmp_path, name="README.txt", content=b"hello")
    with pytest.raises(Refused, match=r"a\.npz cannot be read as a \.npz array"):
        read_array(path)


@damaged
@pytest.mark.parametrize("suffix", ["npy", "npz", "safetensors"])
def test_a_pipe_is_not_waited_for(tmp_path, suffix):
    path = tmp_path / f"pipe.{suffix}"
    os.mkfifo(path)
    with pytest.raises(Refused, match=f"{suffix} is not a regular file"):
        read_array(path)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_array(tmp_path / f"none.{suffix}")
