"""How unlike texts are: self-BLEU (Zhu et al. 2018), with sacrebleu's counting, and distinct-n (Li et al. 2016)."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU

from copywriting.channels import Language


def self_bleu(texts: Sequence[str], language: Language) -> float:
    """Mean BLEU (4-grams) of each text against all others, 0 to 100, lower is more varied; 0 where there are no others. Chinese is counted
    by character."""
    if len(texts) < 2:
        return 0.0
    metric = BLEU(tokenize="zh" if language == "zh" else "13a", effective_order=True)
    scores = [metric.sentence_score(text, [*texts[:i], *texts[i + 1 :]]).score for i, text in enumerate(texts)]
    return round(sum(scores) / len(scores), 2)


def distinct(texts: Sequence[str], language: Language, n: int = 2) -> float:
    """Share of different n-grams among all n-grams of the texts; characters in Chinese, words in English. 0 where there are none."""
    grams = [gram for text in texts for gram in _ngrams(list(text) if language == "zh" else text.lower().split(), n)]
    return len(set(grams)) / max(len(grams), 1)


def _ngrams(units: Sequence[str], n: int) -> list[tuple[str, ...]]:
    return [tuple(units[at : at + n]) for at in range(len(units) - n + 1)]
