"""Pictures in a tar."""

import io
import tarfile
from pathlib import Path

import pytest
from PIL import Image

from multimodal.media import MediaError
from train.pictures.clip_archive import members, open_member
from train.run.settings import ConfigError


def _packed(path: Path, files: dict[str, bytes], mode: str = "w") -> Path:
    with tarfile.open(path, mode) as held:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            held.addfile(entry, io.BytesIO(content))
    return path


def _png(colour: str) -> bytes:
    drawn = io.BytesIO()
    Image.new("RGB", (5, 4), colour).save(drawn, "PNG")
    return drawn.getvalue()


def test_a_picture_is_found_by_its_name(tmp_path):
    archive = _packed(tmp_path / "a.tar", {"./red.png": _png("red"), "below/blue.png": _png("blue")})
    assert members(archive).keys() == {"red.png", "below/blue.png"}
    opened = open_member(archive, "below/blue.png")
    assert opened.size == (5, 4) and opened.getpixel((0, 0)) == (0, 0, 255)
    assert open_member(archive, "red.png").getpixel((4, 3)) == (255, 0, 0)


def test_an_unreadable_picture_is_named_with_its_archive(tmp_path):
    archive = _packed(tmp_path / "b.tar", {"half.png": _png("red")[:40]})
    with pytest.raises(MediaError, match=r"^[^ ]*b\.tar/half\.png: not a readable PNG or JPEG .*replace the file"):
        open_member(archive, "half.png")


def test_a_compressed_archive_and_what_is_none_are_refused(tmp_path):
    (tmp_path / "text.tar").write_text("no archive" * 100)
    for archive in (_packed(tmp_path / "c.tar.gz", {"red.png": _png("red")}, "w:gz"), tmp_path / "text.tar"):
        with pytest.raises(ConfigError, match=r"images = '.*': not an uncompressed tar .*give a directory of pictures"):
            members(archive)
