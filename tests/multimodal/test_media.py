"""Opening pictures."""

import pytest
from PIL import Image

from multimodal import media
from multimodal.media import MediaError, open_image


def test_png_and_jpeg_open_as_rgb(tmp_path):
    for name in ("a.png", "a.jpg"):
        Image.new("RGB", (8, 6), (200, 10, 10)).save(tmp_path / name)
        assert (open_image(tmp_path / name).mode, open_image(tmp_path / name).size) == ("RGB", (8, 6))


def test_transparency_is_laid_over_white(tmp_path):
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    assert open_image(tmp_path / "clear.png").getpixel((1, 1)) == (255, 255, 255)


def test_a_picture_is_turned_upright_as_its_exif_says(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (8, 4)).save(tmp_path / "turned.jpg", exif=exif)
    assert open_image(tmp_path / "turned.jpg").size == (4, 8)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(MediaError, match=r"gone\.png: no such picture"):
        open_image(tmp_path / "gone.png")


@pytest.mark.parametrize("cut", [0, 20, 60])
def test_a_broken_picture_is_named(tmp_path, cut):
    whole = tmp_path / "whole.png"
    Image.effect_noise((64, 64), 80).save(whole)
    broken = tmp_path / "broken.png"
    broken.write_bytes(whole.read_bytes()[:cut])
    with pytest.raises(MediaError, match=r"broken\.png: not a readable PNG or JPEG"):
        open_image(broken)


def test_another_format_is_refused(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.gif")
    with pytest.raises(MediaError, match="not a readable PNG or JPEG"):
        open_image(tmp_path / "a.gif")


def test_an_enormous_picture_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(media, "MAX_PIXELS", 100)
    Image.new("RGB", (20, 20)).save(tmp_path / "big.png")
    with pytest.raises(MediaError, match="20 × 20 pixels"):
        open_image(tmp_path / "big.png")
