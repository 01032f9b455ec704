"""What a step costs, against PyTorch's own count of operations, and what a processor could do."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
from transformers import LlamaConfig, LlamaForCausalLM, ModernBertConfig, ModernBertForSequenceClassification

from train.generator import CopyLoss
from train.run.flops import cost_of, measured, peak, peak_of

IDS = torch.randint(3, 500, (2, 128), generator=torch.Generator().manual_seed(0))
LABELLED = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS), "labels": IDS}


def llama(*, tied: bool = True, **shape: int) -> LlamaForCausalLM:
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    config = LlamaConfig(vocab_size=512, max_position_embeddings=256, tie_word_embeddings=tied, **(sizes | shape))
    return LlamaForCausalLM._from_config(config, attn_implementation="eager")  # the counter does not see fused attention on a CPU


def counted(loss) -> float:
    with FlopCounterMode(display=False) as counter:
        loss().backward()
    return float(counter.get_total_flops())


@pytest.mark.parametrize("tied", [True, False])
def test_a_llama_s_step_costs_what_pytorch_counts(tied):
    model = llama(tied=tied)
    assert cost_of(model).of(LABELLED) == pytest.approx(counted(lambda: model(**LABELLED).loss), rel=0.05)


def test_heads_wider_than_the_model_are_counted_as_wide_as_they_are():
    model = llama(head_dim=48)
    assert cost_of(model).of(LABELLED) == pytest.approx(counted(lambda: model(**LABELLED).loss), rel=0.05)


def test_where_there_is_no_label_the_output_s_matrix_costs_nothing():
    model = CopyLoss(llama())
    labels = IDS.clone()
    labels[:, :96] = -100
    batch = LABELLED | {"labels": labels}
    assert cost_of(model).of(batch) == pytest.approx(counted(lambda: model(**batch)), rel=0.05)
    assert cost_of(model).of(LABELLED) - cost_of(model).of(batch) == 2 * 96 * cost_of(model).head


def test_frozen_weights_have_no_gradient_to_compute():
    model = get_peft_model(llama(), LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj", "v_proj", "down_proj"]))
    assert cost_of(model).of(LABELLED) == pytest.approx(counted(lambda: model(**LABELLED).loss), rel=0.1)


def test_a_classifier_s_labels_are_no_tokens_and_its_local_layers_see_their_window_only():
    shape = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4, "num_attention_heads": 4, "local_attention": 32}
    ids = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    model = ModernBertForSequenceClassification(ModernBertConfig(vocab_size=512, **shape, **ids))
    cost = cost_of(model)
    assert cost.per_token(128) - cost.per_token(64) == 12 * 64 * 2 * 64  # two of the four layers see everything
    assert cost.of(LABELLED | {"labels": torch.tensor([0, 1])}) == IDS.numel() * cost.per_token(128)


@pytest.mark.parametrize("model", [nn.Linear(4, 1), nn.Sequential(nn.Embedding(4, 2), nn.Linear(2, 1))])
def test_what_is_no_transformer_has_no_cost(model):
    assert cost_of(model) is None


def test_a_mixture_of_experts_has_no_cost():
    model = llama()
    model.config.num_local_experts = 8
    assert cost_of(model) is None


@pytest.mark.parametrize(
    ("name", "flops"),
    [
        ("NVIDIA A100-SXM4-80GB", 312e12),
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("NVIDIA H200", 989e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("NVIDIA A10G", 70e12),
        ("NVIDIA A10", 125e12),
        ("Tesla T4", 65e12),
        ("NVIDIA GeForce RTX 4090", 165e12),
        ("NVIDIA GeForce GTX 1080", None),
    ],
)
def test_a_gpu_s_peak_is_in_the_table_or_not_known(name, flops):
    assert peak_of(name) == flops


def test_a_cpu_s_peak_is_measured_and_a_gpu_s_is_known_in_16_bit_only():
    assert 1e9 < peak(torch.device("cpu"), bf16=False) < 1e14
    assert peak(torch.device("cuda"), bf16=False) is None


def test_the_fastest_of_a_few_products_is_the_peak():
    times = iter([0, *(0, 0, 0.05), *(0.06, 0.06, 0.09), *(0.1, 0.1, 0.14), 0.3])  # began; looked, started, ended; looked
    assert measured(torch.float32, lambda: next(times)) == pytest.approx(2 * 1024**3 / 0.03)
