"""How unlike the texts of one answer are: self-BLEU (Zhu et al. 2018), with sacrebleu's counting."""

from collections.abc import Sequence

from sacrebleu.metrics.bleu import BLEU


def self_bleu(texts: Sequence[str], language: str) -> float:
    """Mean BLEU (4-grams) of each text against all others, 0 to 100, lower is more varied; 0 where there are no others. Chinese is counted
    by character."""
    if len(texts) < 2:
        return 0.0
    metric = BLEU(tokenize="zh" if language == "zh" else "13a", effective_order=True)
    scores = [metric.sentence_score(text, [*texts[:i], *texts[i + 1 :]]).score for i, text in enumerate(texts)]
    return round(sum(scores) / len(scores), 2)
