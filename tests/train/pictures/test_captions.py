"""Reading a merchant's table of pictures and texts."""

import json
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from multimodal.media import MediaError
from train.pictures.captions import Picture, PictureColumns, Source, pools, read_pictures, read_sides
from train.run.settings import ConfigError


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
    rows = [{"image": f"{i}.png", "text": f"coat {i}", "split": "held_out" if i < 3 else "train"} for i in range(10)]
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
    with pytest.raises(ConfigError, match=r"data = '.*pictures\.parquet': not Parquet .*name a Parquet table, JSON lines"):
        read_pictures(tmp_path, 0.1, 0)


def _products(directory: Path, name: str = "products.tsv", count: int = 60) -> Source:
    """Photos by id in a tar, two to a title."""
    rows = [{"id": number, "title": f"Coat  {number // 2}" if number % 2 else f"coat {number // 2}"} for number in range(count)]
    with tarfile.open(directory / "photos.tar", "w") as archive:
        for row in rows:
            file = directory / f"{row['id']}.jpg"
            Image.new("RGB", (4, 4)).save(file)
            archive.add(file, file.name)
            file.unlink()
    lines = [json.dumps(row) for row in rows] if name.endswith("jsonl") else ["id\ttitle", *(f"{r['id']}\t{r['title']}" for r in rows)]
    text = "\n".join(lines) + "\n"
    (directory / name).write_text(text.replace("\t", ",") if name.endswith("csv") else text)
    columns = PictureColumns(image="id", text="title", group="title")
    return Source(directory / name, directory / "photos.tar", ".jpg", columns, held_out=0.2, tested=0.2, seed=3)


@pytest.mark.parametrize("name", ["products.tsv", "products.csv", "products.jsonl"])
def test_a_table_of_ids_and_titles_with_a_tar_is_read_and_same_titles_stay_together(tmp_path, name):
    sides = read_sides(_products(tmp_path, name))
    groups = [{picture.product for picture in side} for side in sides]
    assert sum(len(side) for side in sides) == 60 and all(len(side) == 2 * len(group) for side, group in zip(sides, groups, strict=True))
    assert all(groups) and len(set.union(*groups)) == sum(map(len, groups)) == 30
    assert all(picture.open().size == (4, 4) for side in sides for picture in side)


def test_the_shares_of_the_sides_are_those_asked_for_and_more_rows_move_no_group(tmp_path):
    source = _products(tmp_path, count=2000)
    sides = read_sides(source)
    assert [len(side) / 2000 for side in sides] == pytest.approx([0.6, 0.2, 0.2], abs=0.05)
    fewer = read_sides(_products(tmp_path, count=1000))
    assert all({each.product for each in some} <= {each.product for each in all_} for some, all_ in zip(fewer, sides, strict=True))


def test_pictures_that_a_tar_lacks_are_counted_and_the_first_is_named(tmp_path):
    source = _products(tmp_path)
    (tmp_path / "more.tsv").write_text("id\ttitle\n7\tcoat\n98\tscarf\n99\that\n")
    with pytest.raises(
        MediaError, match=r"photos\.tar/98\.jpg: no such picture, named in .*more\.tsv \(2 of 3 are missing\); put it there"
    ):
        read_sides(Source(tmp_path / "more.tsv", source.images, ".jpg", source.columns))
    with pytest.raises(MediaError, match=r"photos\.tar/7: no such .*names end in with --set image_ending=\.jpg"):
        read_sides(Source(tmp_path / "more.tsv", source.images, "", source.columns))


def test_a_directory_of_pictures_need_not_be_the_tables(tmp_path):
    (tmp_path / "photos").mkdir()
    rows = [{"image": f"{i}.png", "text": f"coat {i}"} for i in range(30)]
    _table(tmp_path / "photos", rows).rename(tmp_path / "table.parquet")
    sides = read_sides(Source(tmp_path / "table.parquet", tmp_path / "photos"))
    assert {picture.path.parent for side in sides for picture in side} == {tmp_path / "photos"}


def test_one_text_for_all_and_one_product_held_out_leave_nothing_to_contrast(tmp_path):
    rows = [{"image": f"{i}.png", "text": "a coat", "split": "held_out" if i < 3 else "train"} for i in range(10)]
    with pytest.raises(ConfigError, match=r"every picture to train on has the same text 'a coat'; .*name another column"):
        read_sides(Source(_table(tmp_path, rows)))
    rows = [row | {"text": f"coat {i}", "product": "a" if i < 3 else "b"} for i, row in enumerate(rows)]
    with pytest.raises(ConfigError, match=r"all held-out pictures belong to 'a'.*raise held_out"):
        read_sides(Source(_table(tmp_path, rows)))


def test_a_split_that_tears_a_group_apart_or_is_unknown_is_refused(tmp_path):
    rows = [{"image": f"{i}.png", "text": f"coat {i}", "product": str(i // 2), "split": "test" if i == 5 else "train"} for i in range(8)]
    with pytest.raises(ConfigError, match="'2' is both in 'train' and in 'test'; give it one"):
        read_sides(Source(_table(tmp_path, rows)))
    rows[5]["split"] = "valid"
    with pytest.raises(ConfigError, match="split = 'valid' in row 6 is none of train, held_out, test"):
        read_sides(Source(_table(tmp_path, rows)))


def test_a_picture_of_two_groups_and_a_column_that_is_not_there_are_refused(tmp_path):
    table = _table(tmp_path, [{"image": "a.png", "text": text} for text in ("coat", "warm coat")])
    with pytest.raises(ConfigError, match=r"picture 'a\.png' is of two groups, 'coat' and 'warm coat'; give it one"):
        read_sides(Source(table, columns=PictureColumns(group="text")))
    with pytest.raises(ConfigError, match=r"missing column\(s\) \['title'\]; .*--set columns="):
        read_sides(Source(table, columns=PictureColumns(text="title")))
