"""Products by text and pictures: the same vectors at training and later, and pictures of another model are refused."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from retrieval import schemas, tables
from retrieval.catalogue import Catalogue
from retrieval.content_vectors import ContentReader
from retrieval.encoder import LsaEncoder
from tests.fakes import make_shop


def picture_rows(vectors: dict[str, list[float]], model: str = "clip-1") -> pa.Table:
    rows = [{"product_id": name, "vector": vector, "model": model} for name, vector in vectors.items()]
    return pa.Table.from_pylist(rows, schema=schemas.PICTURE_VECTORS)


@pytest.fixture()
def shop(tmp_path):
    return make_shop(tmp_path / "shop")


@pytest.fixture()
def text(shop) -> LsaEncoder:
    catalogue = Catalogue.read(shop)
    return LsaEncoder.fit([catalogue.document(product_id) for product_id in catalogue.product_ids], 8, 0)


def test_a_shop_without_picture_vectors_is_read_by_its_text(shop, text):
    catalogue = Catalogue.read(shop)
    read = ContentReader.fit(shop, text).vectors(shop, catalogue, ["longjing"])
    np.testing.assert_array_equal(read, text.encode([catalogue.document("longjing")]))


def test_pictures_stand_beside_the_text_and_come_back_from_a_directory(shop, text, tmp_path):
    tables.write(shop, "picture_vectors", picture_rows({"longjing": [1, 0], "keyboard": [0, 1]}))
    catalogue = Catalogue.read(shop)
    reader = ContentReader.fit(shop, text)
    read = reader.vectors(shop, catalogue, ["longjing", "keyboard"])
    pictures = read[:, text.dim :]
    assert read.shape == (2, text.dim + 2)
    np.testing.assert_allclose(pictures[0], -pictures[1], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(pictures, axis=1), 0.5, atol=1e-6)
    reader.save(tmp_path / "reader")
    np.testing.assert_array_equal(ContentReader.load(tmp_path / "reader").vectors(shop, catalogue, ["longjing", "keyboard"]), read)


def test_a_product_without_a_picture_lies_in_the_middle_and_is_named(shop, text, caplog):
    tables.write(shop, "picture_vectors", picture_rows({"longjing": [1, 0], "keyboard": [0, 1]}))
    reader = ContentReader.fit(shop, text)
    with caplog.at_level(logging.WARNING):
        read = reader.vectors(shop, Catalogue.read(shop), ["oolong"])
    assert not read[0, text.dim :].any()
    assert "1 of 1" in caplog.text
    assert "oolong" in caplog.text
    assert "multimodal.picture_vectors" in caplog.text


@pytest.mark.parametrize(("second", "told"), [("clip-2", "clip-2"), (None, "2 models")])
def test_pictures_of_another_model_are_refused(shop, text, second, told):
    tables.write(shop, "picture_vectors", picture_rows({"longjing": [1, 0], "keyboard": [0, 1]}))
    reader = ContentReader.fit(shop, text)
    newer = picture_rows({"longjing": [1, 0]}, "clip-2")
    tables.write(shop, "picture_vectors", newer if second else pa.concat_tables([newer, picture_rows({"oolong": [1, 1]})]))
    with pytest.raises(tables.TableError, match=told):
        reader.vectors(shop, Catalogue.read(shop), ["longjing"])
