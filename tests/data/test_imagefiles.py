"""Images are read as a viewer shows them, or refused by name."""

import errno
import io
import logging
import os
import shutil
import socket
import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from pwgan.__main__ import main
from pwgan.data import imagefiles
from pwgan.data.files import Folder
from pwgan.data.imagefiles import image_files, is_grey, read_images
from pwgan.errors import Refused

unusual = pytest.mark.fault("unusual pictures")


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def read(path: Path, channels: int = 3) -> np.ndarray:
    """Return one image, (height, width, channels)."""
    return read_images([path], channels)[0].transpose(1, 2, 0)


def on_white(colour: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    opacity = alpha[..., None] / 255.0
    return colour * opacity + 255 * (1 - opacity)


def with_alpha(folder: Path, kind: str) -> tuple[Path, np.ndarray, np.ndarray]:
    """Write a transparent image; return its file, its colours (h, w, 3) and its opacity (h, w)."""
    colour, alpha = noise(6, 8, 3), noise(6, 8, seed=1)
    if kind in ("rgba.png", "rgba.tif", "rgba.webp"):
        options = {"lossless": True, "exact": True} if kind.endswith("webp") else {}
        Image.fromarray(np.dstack([colour, alpha])).save(folder / kind, **options)
    elif kind == "la.png":
        Image.merge("LA", [Image.fromarray(colour[..., 0]), Image.fromarray(alpha)]).save(folder / kind)
        colour = np.repeat(colour[..., :1], 3, axis=2)
    elif kind == "grey.png":  # one grey value is transparent
        colour[2, 3] = 7
        Image.fromarray(colour[..., 0]).save(folder / kind, transparency=7)
        colour = np.repeat(colour[..., :1], 3, axis=2)
        alpha = np.where(colour[..., 0] == 7, 0, 255)
    elif kind == "rgb.png":  # one colour is transparent
        Image.fromarray(colour).save(folder / kind, transparency=tuple(colour[2, 3].tolist()))
        alpha = np.where((colour == colour[2, 3]).all(axis=2), 0, 255)
    else:  # a palette, of which entries are transparent
        palette, index = noise(256, 3, seed=2), noise(6, 8, seed=3)
        image = Image.fromarray(index)
        image.putpalette(palette.tobytes())
        one = int(index[0, 0])
        opacity = noise(256, seed=4) if kind == "palette.png" else np.where(np.arange(256) == one, 0, 255)
        image.save(folder / kind, transparency=bytes(opacity.tolist()) if kind == "palette.png" else one)
        colour, alpha = palette[index], opacity[index]
    return folder / kind, colour, alpha


TRANSPARENT = (
    *("rgba.png", "rgba.tif", "rgba.webp", "la.png", "grey.png", "rgb.png"),
    *("palette.png", "index.png", "index.gif"),
)


@unusual
@pytest.mark.parametrize("kind", TRANSPARENT)
def test_transparent_pixels_are_composed_on_white(tmp_path, caplog, kind):
    path, colour, alpha = with_alpha(tmp_path, kind)
    assert (alpha < 255).sum() > 0
    shown = on_white(colour, alpha)
    np.testing.assert_allclose(read(path), shown, atol=1)
    np.testing.assert_allclose(read(path, 1)[..., 0], shown @ [0.299, 0.587, 0.114], atol=2)
    assert f"1 of 1 images have transparent pixels, which are read on a white ground (as {path})" in caplog.text


def test_an_opaque_alpha_channel_changes_nothing(tmp_path, caplog):
    colour = noise(6, 8, 3)
    Image.fromarray(np.dstack([colour, np.full((6, 8), 255, np.uint8)])).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read(tmp_path / "a.png"), colour)
    assert not caplog.records


@unusual
def test_black_on_transparent_is_not_all_black(tmp_path, capsys):
    for side, corner in (("a", 2), ("b", 8)):
        for i in range(3):
            drawn = np.zeros((12, 12, 4), np.uint8)
            drawn[corner : corner + 3, i : i + 3, 3] = 255
            (tmp_path / side).mkdir(exist_ok=True)
            Image.fromarray(drawn).save(tmp_path / side / f"{i}.png")
    assert main(["distance", str(tmp_path / "a"), str(tmp_path / "b"), "--device", "cpu"]) == 0
    # Nine black pixels of three channels on white on either side, which do not overlap.
    assert float(capsys.readouterr().out.split()[1]) == pytest.approx(255 * (2 * 9 * 3) ** 0.5)
    assert {0, 255} == set(np.unique(Folder(path=tmp_path, size=12).load().train))


def write_deep_png(path: Path, pixels: np.ndarray, colour_type: int) -> None:
    """Write uint16 (h, w, channels) as a PNG of 16 bits per channel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def write_tiff(path: Path, pixels: np.ndarray, photometric: int) -> None:
    """Write (h, w, channels) of any unsigned type as an uncompressed TIFF."""
    height, width, channels = pixels.shape
    bits = struct.pack(f"<{channels}H", *[8 * pixels.itemsize] * channels)
    data = pixels.tobytes()
    at = 8 + 2 + 12 * 9 + 4
    wide = channels > 2
    tags = [
        (256, 4, 1, width),
        (257, 4, 1, height),
        (258, 3, channels, at if wide else int.from_bytes(bits, "little")),
        (259, 3, 1, 1),
        (262, 3, 1, photometric),
        (273, 4, 1, at + len(bits) * wide),
        (277, 3, 1, channels),
        (278, 4, 1, height),
        (279, 4, 1, len(data)),
    ]
    head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    path.write_bytes(head + bytes(4) + bits * wide + data)


def write_deep(path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (4, 5, 4)).astype("<u2")
    name = path.name
    if name in ("grey.png", "grey-alpha.png", "colour.png", "alpha.png"):
        channels, kind = {"grey": (1, 0), "grey-alpha": (2, 4), "colour": (3, 2), "alpha": (4, 6)}[path.stem]
        write_deep_png(path, pixels[..., :channels], kind)
    elif name in ("grey.tif", "colour.tif", "cmyk.tif"):
        channels, kind = {"grey": (1, 1), "colour": (3, 2), "cmyk": (4, 5)}[path.stem]
        write_tiff(path, pixels[..., :channels], kind)
    elif name == "floats.tif":
        Image.fromarray(pixels[..., 0].astype(np.float32)).save(path)
    elif name == "integers.tif":
        Image.fromarray(pixels[..., 0].astype(np.int32)).save(path)
    else:
        letter, channels = (b"P5", 1) if name == "grey.pgm" else (b"P6", 3)
        path.write_bytes(letter + b" 5 4 65535\n" + pixels[..., :channels].astype(">u2").tobytes())


DEEP = (
    *("grey.png", "grey-alpha.png", "colour.png", "alpha.png", "grey.tif", "colour.tif", "cmyk.tif"),
    *("floats.tif", "integers.tif", "grey.pgm", "colour.ppm"),
)


@unusual
@pytest.mark.parametrize("name", DEEP)
def test_more_than_8_bits_per_channel_are_refused(tmp_path, name):
    write_deep(tmp_path / name)
    with pytest.raises(Refused, match=rf"{name} has more than 8 bits per channel; convert it to 8 bits"):
        read(tmp_path / name)


def test_hand_written_tiffs_of_8_bits_are_read(tmp_path):
    pixels = noise(4, 5, 3)
    write_tiff(tmp_path / "colour.tif", pixels, 2)
    write_tiff(tmp_path / "grey.tif", pixels[..., :1].copy(), 1)
    np.testing.assert_array_equal(read(tmp_path / "colour.tif"), pixels)
    np.testing.assert_array_equal(read(tmp_path / "grey.tif", 1), pixels[..., :1])


@unusual
@pytest.mark.parametrize("suffix", ["tif", "gif", "png", "webp"])
def test_several_pages_or_frames_are_refused(tmp_path, suffix):
    first, *rest = [Image.fromarray(noise(6, 6, seed=i)) for i in range(4)]
    first.save(tmp_path / f"a.{suffix}", save_all=True, append_images=rest, lossless=True)
    with pytest.raises(Refused, match=rf"a\.{suffix} holds 4 pages or frames; save each as a file of its own"):
        read(tmp_path / f"a.{suffix}")


@unusual
def test_of_a_photograph_with_a_preview_the_photograph_is_read(tmp_path):
    first, second = (Image.fromarray(np.full((8, 8, 3), value, np.uint8)) for value in (10, 200))
    first.save(tmp_path / "a.jpg", format="MPO", save_all=True, append_images=[second], quality=95)
    np.testing.assert_allclose(read(tmp_path / "a.jpg"), 10, atol=3)


@unusual
@pytest.mark.parametrize("name", ["a.tif", "a.jpg"])
def test_cmyk_is_shown_by_its_complement(tmp_path, name):
    ink = np.zeros((8, 16, 4), np.uint8)
    ink[:, 8:] = 255, 51, 0, 102
    Image.fromarray(ink, "CMYK").save(tmp_path / name, **({"quality": 95} if name == "a.jpg" else {}))
    shown = (255.0 - ink[..., :3]) * (255 - ink[..., 3:]) / 255
    np.testing.assert_allclose(read(tmp_path / name), shown, atol=1 if name == "a.tif" else 6)


@unusual
def test_other_modes_are_converted_or_refused(tmp_path):
    bits = noise(6, 8) > 127
    Image.fromarray(bits).save(tmp_path / "1.png")
    np.testing.assert_array_equal(read(tmp_path / "1.png", 1)[..., 0], np.where(bits, 255, 0))
    assert is_grey(tmp_path / "1.png")
    smooth = np.full((8, 8, 3), (200, 100, 50), np.uint8)
    Image.fromarray(smooth).convert("YCbCr").save(tmp_path / "y.tif")
    np.testing.assert_allclose(read(tmp_path / "y.tif"), smooth, atol=2)
    Image.fromarray(noise(6, 8, 3), "LAB").save(tmp_path / "lab.tif")
    with pytest.raises(Refused, match=r"lab\.tif has pixels of mode 'LAB'; convert it to 8-bit grey or RGB"):
        read(tmp_path / "lab.tif")


TURNS = {
    1: lambda x: x,
    2: np.fliplr,
    3: lambda x: np.rot90(x, 2),
    4: np.flipud,
    5: lambda x: x.transpose(1, 0, 2),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
    8: np.rot90,
}


@unusual
@pytest.mark.parametrize("suffix", ["png", "webp", "tif"])
@pytest.mark.parametrize("orientation", TURNS)
def test_every_exif_orientation_is_upright(tmp_path, suffix, orientation):
    pixels, exif = noise(6, 8, 3), Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / f"a.{suffix}", exif=exif, lossless=True)
    np.testing.assert_array_equal(read(tmp_path / f"a.{suffix}"), TURNS[orientation](pixels))


def turned_jpeg(exif: bytes) -> tuple[bytes, np.ndarray]:
    """Return a JPEG with an EXIF segment, and its pixels without it."""
    plain = io.BytesIO()
    Image.fromarray(np.repeat(np.repeat(noise(1, 2, 3), 8, 0), 8, 1)).save(plain, "JPEG", quality=95)
    data = plain.getvalue()
    segment = b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif
    return data[:2] + segment + data[2:], np.asarray(Image.open(plain))


def exif_segment(*entries: tuple[int, int, bytes]) -> bytes:
    tags = b"".join(struct.pack("<HHI", tag, kind, 1) + value.ljust(4, b"\0") for tag, kind, value in entries)
    return b"Exif\0\0II" + struct.pack("<HIH", 42, 8, len(entries)) + tags + bytes(4)


@unusual
def test_a_tag_of_a_wrong_type_does_not_hide_the_orientation(tmp_path):
    exif = exif_segment((0x0112, 3, struct.pack("<H", 6)), (0x0103, 11, struct.pack("<f", 1.5)))
    data, pixels = turned_jpeg(exif)
    (tmp_path / "a.jpg").write_bytes(data)
    np.testing.assert_array_equal(read(tmp_path / "a.jpg"), np.rot90(pixels, -1))


@pytest.mark.fault("damaged pictures", count=150)
def test_damaged_exif_data_do_not_change_the_pixels(tmp_path):
    rng = np.random.default_rng(0)
    exif = exif_segment((0x0112, 3, struct.pack("<H", 6)), (0x010F, 2, b"abc\0"), (0x8769, 4, struct.pack("<I", 8)))
    path, read_ones = tmp_path / "a.jpg", 0
    for _ in range(150):
        bad = bytearray(exif)
        for place in rng.integers(6, len(bad), 3):
            bad[place] = rng.integers(256)
        data, pixels = turned_jpeg(bytes(bad))
        path.write_bytes(data)
        with warnings.catch_warnings(action="ignore"):
            try:
                image = read(path)
            except Refused as error:
                assert "a.jpg cannot be read as an image" in str(error)
                continue
        read_ones += 1
        assert any(np.array_equal(image, turn(pixels)) for turn in TURNS.values())
    assert read_ones > 100


def encoded() -> dict[str, bytes]:
    image, exif = Image.fromarray(noise(6, 8, 3)), Image.Exif()
    exif[0x0112] = 6
    files = {}
    for name, made, options in (
        ("a.png", image, {"exif": exif}),
        ("p.png", image.convert("P"), {"transparency": 3}),
        ("a.jpg", image, {"exif": exif}),
        ("c.jpg", image.convert("CMYK"), {}),
        ("a.gif", image, {}),
        ("a.webp", image, {"lossless": True, "exif": exif}),
        ("a.bmp", image, {}),
        ("a.ppm", image, {}),
        ("z.tif", image, {"compression": "tiff_lzw"}),
    ):
        stream = io.BytesIO()
        made.save(stream, {"jpg": "JPEG", "tif": "TIFF", "ppm": "PPM"}.get(name[2:], name[2:]), **options)
        files[name] = stream.getvalue()
    files["plain.ppm"] = b"P3\n2 2 255\n" + b" ".join(str(i).encode() for i in range(12))
    return files


@pytest.mark.fault("damaged pictures", count=600)
def test_a_damaged_image_is_refused_by_name_or_read(tmp_path):
    rng = np.random.default_rng(0)
    for name, whole in encoded().items():
        refused = 0
        for _ in range(60):
            bad = bytearray(whole)
            place = int(rng.integers(min(len(bad), 100) if rng.random() < 0.5 else len(bad)))
            damage = rng.integers(3)
            if damage == 0:
                bad[place] = rng.integers(256)
            elif damage == 1:
                del bad[place:]
            else:
                bad[place:place] = rng.bytes(int(rng.integers(1, 9)))
            (tmp_path / name).write_bytes(bad)
            with warnings.catch_warnings(action="ignore"):
                try:
                    is_grey(tmp_path / name)
                    image = read_images([tmp_path / name], 3)
                except Refused as error:
                    assert str(error).startswith(str(tmp_path / name))
                    refused += 1
                else:
                    assert image.dtype == np.uint8 and image.ndim == 4 and image.shape[:2] == (1, 3)
        assert refused > 10


@pytest.mark.fault("damaged pictures", count=2)
def test_images_of_absurd_size_are_refused(tmp_path):
    write_tiff(tmp_path / "a.tif", noise(4, 5, 3), 2)
    data = bytearray((tmp_path / "a.tif").read_bytes())
    data[18:22] = data[30:34] = struct.pack("<I", 100_000)  # width and height
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(Refused, match=r"a\.tif cannot be read as an image: .*decompression bomb"):
        read(tmp_path / "a.tif")
    (tmp_path / "a.ppm").write_bytes(b"P6 100000 100000 255\n")
    with pytest.raises(Refused, match=r"a\.ppm cannot be read as an image: .*decompression bomb"):
        read(tmp_path / "a.ppm")


def test_a_bug_keeps_its_traceback(tmp_path, monkeypatch):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    monkeypatch.delattr(TiffImagePlugin, "TiffImageFile")
    with pytest.raises(ImportError):
        read(tmp_path / "a.png")
    monkeypatch.undo()
    monkeypatch.setattr(imagefiles, "_turn", lambda file: file.no_such_attribute)
    with pytest.raises(AttributeError, match="no_such_attribute"):
        read(tmp_path / "a.png")


@unusual
def test_gif_and_jfif_are_read(tmp_path):
    Image.new("L", (4, 4), 50).save(tmp_path / "a.gif")
    Image.new("L", (4, 4), 50).save(tmp_path / "b.JFIF", "JPEG")
    assert [path.name for path in image_files(tmp_path)] == ["a.gif", "b.JFIF"]
    np.testing.assert_allclose(read_images(image_files(tmp_path), 1), 50, atol=2)


@pytest.fixture
def crowded(tmp_path):
    """A folder with two images and much that is none."""
    root = tmp_path / "crowded"
    (root / "sub").mkdir(parents=True)
    for name in ("b.png", "sub/a.png"):
        Image.new("L", (4, 4), 50).save(root / name)
    for name in ("notes.txt", "c.heic", "sub/d.heic", ".hidden.png"):
        (root / name).write_text("no image")
    (root / "linked").symlink_to(tmp_path, target_is_directory=True)
    (root / "link.png").symlink_to(root / "b.png")
    (root / "gone.png").symlink_to(root / "nowhere.png")
    (root / "round.png").symlink_to(root / "round.png")
    os.mkfifo(root / "pipe.png")
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind(os.path.relpath(root / "plug.png"))
        yield root
    shutil.rmtree(root)


LEFT_OUT = (
    "3 images are read; left out are broken links: 2 (as gone.png), files of other suffixes: 3 (as c.heic), "
    "linked folders: 1 (as linked), pipes, sockets or devices: 2 (as pipe.png)"
)


@pytest.mark.fault("unusual pictures", count=6)
def test_what_is_left_out_is_said_in_one_line(crowded, caplog, capsys):
    files = image_files(crowded)
    assert [path.relative_to(crowded).as_posix() for path in files] == ["b.png", "link.png", "sub/a.png"]
    assert not caplog.records
    assert len(Folder(path=crowded, size=4).load().train) == 2
    assert [record.getMessage() for record in caplog.records] == [f"{crowded}: {LEFT_OUT}"]
    assert main(["distance", str(crowded), str(crowded), "--device", "cpu"]) == 0
    assert caplog.text.count(LEFT_OUT) == 3 and float(capsys.readouterr().out.split()[1]) == 0


def test_a_folder_without_images_says_what_it_holds(tmp_path):
    (tmp_path / "a.heic").write_text("")
    with pytest.raises(FileNotFoundError, match=r"holds no images; accepted suffixes: \.bmp, \.gif, .*\.webp"):
        image_files(tmp_path)


def test_a_folder_that_may_not_be_read_is_named(tmp_path, monkeypatch):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "closed").mkdir()
    scan = os.scandir

    def guarded(path: Path) -> object:  # as for any user but root
        if Path(path).name == "closed":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(Refused, match="closed cannot be read: Permission denied"):
        image_files(tmp_path)


def test_only_the_stated_formats_are_decoded(tmp_path, caplog):
    caplog.set_level(logging.ERROR)
    Image.new("RGB", (16, 16)).save(tmp_path / "a.png", format="ICO")
    with pytest.raises(Refused, match=r"a\.png cannot be read as an image: cannot identify"):
        read(tmp_path / "a.png")
