"""What `retrieval/encoder.py` promises, one behaviour a test."""

import numpy as np
import pytest

from retrieval.encoder import EncoderError, LsaEncoder, TransformersEncoder, load_encoder, save_spec, terms
from tests.models import make_bert

DOCUMENTS = [
    "明前龙井绿茶 green tea from Hangzhou 杭州绿茶",
    "铁观音乌龙茶 oolong tea 安溪乌龙",
    "静听耳机 noise cancelling headphones 主动降噪",
    "云杉羊毛大衣 wool coat 外套",
    "晨露咖啡豆 coffee beans 中度烘焙",
]


@pytest.fixture(scope="module")
def lsa() -> LsaEncoder:
    return LsaEncoder.fit(DOCUMENTS, dim=8)


@pytest.mark.parametrize(
    ("query", "row"), [("green tea", 0), ("绿茶", 0), ("耳机", 2), ("headphones", 2), ("羊毛外套", 3), ("wool", 3), ("咖啡", 4)]
)
def test_a_query_in_either_language_finds_its_document(lsa, query, row):
    assert int(np.argmax(lsa.encode(DOCUMENTS) @ lsa.encode([query])[0])) == row


def test_one_language_reaches_a_document_of_the_other():
    encoder = LsaEncoder.fit([*DOCUMENTS, "绿茶", "耳机"], dim=8)
    chinese_only = encoder.encode(["绿茶", "耳机"])
    scores = chinese_only @ encoder.encode(["green tea"])[0]
    assert scores[0] > scores[1] + 0.1


def test_vectors_have_unit_length_and_unknown_words_none(lsa):
    assert np.allclose(np.linalg.norm(lsa.encode(DOCUMENTS), axis=1), 1, atol=1e-5)
    assert not lsa.encode(["", "!!!"]).any()
    assert lsa.encode([]).shape == (0, lsa.dim)
    assert lsa.encode(DOCUMENTS).dtype == np.float32


def test_the_dimension_is_bounded_by_the_documents(lsa):
    assert lsa.dim == len(DOCUMENTS) - 1


def test_a_catalogue_of_one_product_has_an_encoder_and_one_of_none_has_not():
    encoder = LsaEncoder.fit(["green tea"])
    assert encoder.encode(["tea", "coffee"]).tolist() == [[1.0], [0.0]]
    with pytest.raises(ValueError, match="documents: none given"):
        LsaEncoder.fit([])
    with pytest.raises(ValueError, match="documents: no word in any"):
        LsaEncoder.fit(["!!!", ""])


def test_a_word_that_no_document_has_is_like_no_document(lsa):
    assert not lsa.encode(["lego", "pushchair", "锅"]).any()
    assert np.allclose(lsa.encode(["green lego"]), lsa.encode(["green"]))


def test_a_fit_is_repeatable_and_survives_saving(lsa, tmp_path):
    save_spec(lsa, tmp_path)
    loaded = load_encoder(tmp_path)
    assert np.array_equal(loaded.encode(DOCUMENTS), lsa.encode(DOCUMENTS))
    assert np.allclose(LsaEncoder.fit(DOCUMENTS, dim=8).encode(DOCUMENTS), lsa.encode(DOCUMENTS), atol=1e-5)


def test_terms_are_words_heads_characters_and_pairs():
    assert list(terms("Jackets 羊毛衣")) == ["jackets", "jacket", "羊", "毛", "衣", "羊毛", "毛衣"]


@pytest.fixture(scope="module")
def bert(tmp_path_factory) -> TransformersEncoder:
    return TransformersEncoder(str(make_bert(tmp_path_factory.mktemp("bert"))), batch_size=2)


def test_a_pretrained_encoder_gives_unit_vectors_whatever_the_batch(bert):
    texts = ["green tea", "warm wool coat today", "茶"]
    vectors = bert.encode(texts)
    assert vectors.shape == (3, bert.dim) == (3, 16)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    alone = np.concatenate([bert.encode([text]) for text in texts])
    assert np.allclose(vectors, alone, atol=1e-5), "padding must not change a vector"
    assert bert.encode([]).shape == (0, 16)


def test_a_pretrained_encoder_is_loaded_again_by_its_spec(bert, tmp_path):
    save_spec(bert, tmp_path)
    assert np.allclose(load_encoder(tmp_path).encode(["green tea"]), bert.encode(["green tea"]))


def test_a_prefix_goes_before_every_text(bert):
    prefixed = TransformersEncoder(bert.spec["model"], prefix="warm ")
    assert np.allclose(prefixed.encode(["coat"]), bert.encode(["warm coat"]), atol=1e-6)


def test_an_encoder_that_is_not_there_is_refused_with_value_and_remedy(tmp_path):
    name = str(tmp_path / "no such encoder")
    with pytest.raises(EncoderError) as refused:
        TransformersEncoder(name)
    assert str(refused.value).startswith(f"encoder: '{name}' could not be loaded")
    assert "give a directory with a transformers encoder" in str(refused.value)
