"""Reading a merchant's table of pictures and texts."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from multimodal.media import MediaError
from train.captions import Picture, pools, read_pictures
from train.settings import ConfigError


def _table(directory: Path, rows: list[dict[str, str]], *, draw: bool = True) -> Path:
    for row in rows if draw else []:
        Image.new("RGB", (4, 4)).save(directory / row["image"])
    path = directory / "pictures.parquet"
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def test_a_merchants_two_columns_are_enough(tmp_path):
    table = _table(tmp_path, [{"image": f"{i}.png", "text": "一件大衣" if i % 2 else "a coat"} for i in range(60)])
    training, held_out = read_pictures(table, held_out=0.2, seed=0)
    assert len(training) + len(held_out) == 60 and 3 <= len(held_out) <= 25
    assert {language for picture in training for language, _ in picture.texts} == {"zh", "en"}
    assert read_pictures(tmp_path, held_out=0.2, seed=0) == (training, held_out)


def test_rows_of_one_picture_come_together_and_views_of_one_product_stay_on_one_side(tmp_path):
    rows = [
        {"image": f"{product}-{view}.png", "text": f"{text} {product}", "locale": "en-GB", "product": str(product)}
        for product in range(30)
        for view in "ab"
        for text in ("coat", "a warm coat")
    ]
    training, held_out = read_pictures(_table(tmp_path, rows), held_out=0.3, seed=1)
    assert all(picture.texts == (("en", f"coat {picture.product}"), ("en", f"a warm coat {picture.product}")) for picture in training)
    assert not {picture.product for picture in training} & {picture.product for picture in held_out}


def test_a_split_column_decides(tmp_path):
    rows = [{"image": f"{i}.png", "text": "x", "split": "held_out" if i < 3 else "train"} for i in range(10)]
    training, held_out = read_pictures(_table(tmp_path, rows), held_out=0.5, seed=0)
    assert (len(training), len(held_out)) == (7, 3)


def test_a_missing_column_file_or_text_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"holds no pictures\.parquet"):
        read_pictures(tmp_path, 0.1, 0)
    table = _table(tmp_path, [{"image": "a.png", "caption": "x"}])
    with pytest.raises(ConfigError, match=r"missing column\(s\) \['text'\]"):
        read_pictures(table, 0.1, 0)
    with pytest.raises(ConfigError, match="no image or no text"):
        read_pictures(_table(tmp_path, [{"image": "a.png", "text": ""}]), 0.1, 0)


def test_a_missing_picture_is_named(tmp_path):
    table = _table(tmp_path, [{"image": "gone.png", "text": "x"}], draw=False)
    with pytest.raises(MediaError, match=r"gone\.png: no such picture"):
        read_pictures(table, 0.1, 0)


def test_all_on_one_side_is_refused(tmp_path):
    rows = [{"image": f"{i}.png", "text": "x", "split": "train"} for i in range(3)]
    with pytest.raises(ConfigError, match="3 pictures to train on, 0 held out"):
        read_pictures(_table(tmp_path, rows), 0.1, 0)


def test_a_pool_has_a_hundred_pictures_of_different_products_and_their_first_texts():
    pictures = [
        Picture(Path(f"{product}{view}.png"), str(product), (("en", "first"), ("en", "second"), ("zh", "一")))
        for product in range(250)
        for view in "ab"
    ]
    found = list(pools(pictures))
    assert [(language, len(pool)) for language, pool in found] == [("en", 100), ("en", 100), ("zh", 100), ("zh", 100)]
    assert all(len({picture.product for picture, _ in pool}) == 100 for _, pool in found)
    assert {text for _, pool in found for _, text in pool} == {"first", "一"}
    assert found == list(pools(pictures))
    assert [len(pool) for _, pool in pools(pictures[:20])] == [10, 10]


def test_a_table_that_is_not_parquet_is_named(tmp_path):
    (tmp_path / "pictures.parquet").write_text("image,text\n")
    with pytest.raises(ConfigError, match=r"data = '.*pictures\.parquet': not Parquet .*make one with"):
        read_pictures(tmp_path, 0.1, 0)
