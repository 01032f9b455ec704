"""How near generated copy is to what people wrote: BLEU-4, ROUGE-1, -2, -L and chrF, as the published figures count them.

BLEU-4 is the mean over texts of sentence BLEU on characters (Chinese) or words (English) with the smoothing that the figures of
AdvertiseGen use (Chen and Cherry 2014, method 3); ROUGE is F1 on jieba's words; chrF is sacrebleu's, over the corpus.
"""

import logging
import re
from collections.abc import Sequence

import jieba
from nltk.translate.bleu_score import SmoothingFunction, sentence_bleu
from rouge_chinese import Rouge
from sacrebleu.metrics.chrf import CHRF

from copywriting.channels import Language
from copywriting.diversity import distinct, self_bleu

jieba.setLogLevel(logging.WARNING)
_ROUGE = {"rouge-1": "rouge_1", "rouge-2": "rouge_2", "rouge-l": "rouge_l"}
_COMPARED = 200
"""Texts of which self-BLEU compares each with all others: its cost grows with the square."""


def words(text: str, language: Language) -> list[str]:
    """Words and marks of a text: jieba's in Chinese; in English runs of letters and digits in lower case, and marks."""
    if language == "zh":
        return [word for word in jieba.lcut(text) if word.strip()]
    return re.findall(r"[\w']+|[^\w\s]", text.lower())


def nearness(texts: Sequence[str], references: Sequence[str], language: Language) -> dict[str, float]:
    """bleu_4, rouge_1, rouge_2, rouge_l and chrf, each 0 to 100, of texts against one reference each. An empty text scores 0. Raises
    ValueError where there are not as many references as texts, or an empty one."""
    if len(texts) != len(references) or not texts:
        raise ValueError(f"{len(texts)} texts, {len(references)} references: give one reference for each text, and at least one of both")
    if empty := [number for number, reference in enumerate(references) if not reference.strip()]:
        raise ValueError(f"reference {empty[0]} is empty: leave out texts that nobody wrote a reference for")
    each = [_of_one(text, reference, language) for text, reference in zip(texts, references, strict=True)]
    figures = {name: sum(one[name] for one in each) / len(each) for name in ("bleu_4", *_ROUGE.values())}
    return figures | {"chrf": CHRF().corpus_score(list(texts), [list(references)]).score}


def _of_one(text: str, reference: str, language: Language) -> dict[str, float]:
    said = words(text, language)
    if not said:
        return dict.fromkeys(("bleu_4", *_ROUGE.values()), 0.0)
    units = (list(text.strip()), list(reference.strip())) if language == "zh" else (said, words(reference, language))
    bleu = float(sentence_bleu([units[1]], units[0], smoothing_function=SmoothingFunction().method3)) if len(units[0]) > 1 else 0.0
    scores = Rouge().get_scores(" ".join(said), " ".join(words(reference, language)))[0]
    return {"bleu_4": 100 * bleu} | {name: 100 * float(scores[key]["f"]) for key, name in _ROUGE.items()}


def variety(texts: Sequence[str], language: Language) -> dict[str, float]:
    """distinct_1, distinct_2 and distinct_4 as shares, self_bleu 0 to 100 over the first 200 texts."""
    shares = {f"distinct_{n}": distinct(texts, language, n) for n in (1, 2, 4)}
    return shares | {"self_bleu": self_bleu(texts[:_COMPARED], language)}
