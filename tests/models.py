"""Models, tiny and random but real, as directories that loading code reads."""

from collections.abc import Sequence
from pathlib import Path


def make_bert(directory: Path, labels: Sequence[str] | None = None, temperature: float = 1.0) -> Path:
    """A one-layer BERT and its tokenizer, saved as transformers saves them: a classifier where labels are given, else an encoder."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import BertConfig, BertForSequenceClassification, BertModel, PreTrainedTokenizerFast

    words = ["[PAD]", "[UNK]", "a", "warm", "wool", "coat", "green", "tea", "leaf", "today", "cold", "broken", "茶", "大", "衣"]
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]").save_pretrained(directory)
    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16, "max_position_embeddings": 300}
    torch.manual_seed(0)
    if labels is None:
        BertModel(BertConfig(vocab_size=len(words), **sizes)).save_pretrained(directory)
        return directory
    named = {"id2label": dict(enumerate(labels)), "label2id": {label: i for i, label in enumerate(labels)}}
    config = BertConfig(vocab_size=len(words), initializer_range=1.0, **sizes, **named)
    config.calibration_temperature = temperature  # as train/texts/classifier.py writes it
    BertForSequenceClassification(config).save_pretrained(directory)
    return directory
