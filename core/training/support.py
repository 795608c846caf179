"""Which models the engine can train, told in sentences before time or memory is spent on them.

The engine replaces attention (`layout.py`) and the LM head (`head.py`), so a model must do both in
the usual way. What its configuration tells is checked before its weights are loaded; in the end
the model itself is asked, by scoring a few tokens both ways.
"""

from __future__ import annotations

from typing import Any

import torch

from core.errors import WaggleError
from core.schema import Config, SamplingSection

PROMPT_TOKENS = 256
"""Room that is kept for a prompt beside `sampling.max_new_tokens`."""
TOLERANCE = {torch.float32: 1e-2, torch.bfloat16: 0.5, torch.float16: 0.1}
"""Nats by which two ways to score a token may differ through rounding alone."""

_PLAIN = {
    "final_logit_softcapping": "it squashes its scores (final_logit_softcapping)",
    "attn_logit_softcapping": "it squashes its attention (attn_logit_softcapping)",
    "logit_scale": "it scales its scores (logit_scale)",
    "logits_scaling": "it scales its scores (logits_scaling)",
    "lm_head_multiplier": "it scales its scores (lm_head_multiplier)",
}
_ANOTHER = "Choose another model: the Qwen2.5, Qwen3, Llama and SmolLM2 families work"


def check_architecture(model_id: str, hf_config: Any) -> None:
    """WaggleError unless this configuration is of a model that the engine can train."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING

    why = ""
    kind = getattr(hf_config, "model_type", "unknown")
    if type(hf_config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        why = f"a {kind} model does not continue text"
    elif getattr(hf_config, "quantization_config", None):
        why = "its weights are quantised, and training changes weights by less than that rounds"
    elif hf_config.get_text_config() is not hf_config:
        why = f"a {kind} model takes more than text"
    else:
        model_class = MODEL_FOR_CAUSAL_LM_MAPPING[type(hf_config)]
        if getattr(model_class, "_is_stateful", False):
            why = f"a {kind} model has layers without attention"
        elif not getattr(model_class, "_supports_attention_backend", False):
            why = f"the attention of a {kind} model cannot be replaced"
    layers = set(getattr(hf_config, "layer_types", None) or ())
    strange = layers - {"full_attention", "sliding_attention"}
    if not why and strange:
        why = f"it has layers of a kind that Waggle does not know ({', '.join(sorted(strange))})"
    for key, reason in _PLAIN.items():
        if not why and getattr(hf_config, key, None) not in (None, 0, 1, 1.0):
            why = reason
    if why:
        raise WaggleError(f"The model {model_id} cannot be trained here", why, _ANOTHER)


def check_supported(config: Config, model: Any) -> None:
    """WaggleError unless the loaded model can be trained with these settings.

    Scores a few tokens in the usual and in the engine's way, without touching random states.
    """
    model_id = config.model.id
    check_architecture(model_id, model.config)
    _check_length(config, model.config)
    head = model.get_output_embeddings()
    if type(head) is not torch.nn.Linear or any(hasattr(m, "sinks") for m in model.modules()):
        part = "LM head" if type(head) is not torch.nn.Linear else "attention"
        raise WaggleError(
            f"The model {model_id} cannot be trained here",
            f"its {part} is of its own kind",
            _ANOTHER,
        )
    gap = scoring_gap(model)
    if not gap <= TOLERANCE[model.dtype]:
        raise WaggleError(
            f"The model {model_id} cannot be trained here",
            f"Waggle's scores of its tokens differ from its own by {gap:.2f}",
            _ANOTHER,
        )


def scoring_gap(model: Any) -> float:
    """Largest difference in nats between the model's own log-probabilities and the engine's."""
    from core.training.logprobs import completion_logprobs

    draw = torch.Generator().manual_seed(0)
    size = model.get_input_embeddings().num_embeddings
    prompt, *answers = (torch.randint(size, (n,), generator=draw).tolist() for n in (12, 5, 5))
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            engine = completion_logprobs(model, [prompt], [0, 0], answers, SamplingSection())
            ids = torch.tensor([prompt + answer for answer in answers], device=model.device)
            scores = model(input_ids=ids, use_cache=False).logits[:, len(prompt) - 1 : -1]
            own = scores.float().log_softmax(-1).gather(2, ids[:, len(prompt) :, None])[..., 0]
            gap = float((own - torch.stack(engine).float()).abs().max())
    except (TypeError, ValueError, IndexError, AttributeError) as error:
        raise WaggleError(
            f"A {type(model).__name__} cannot be trained here",
            f"it does not run with replaced attention: {error}",
            _ANOTHER,
        ) from error
    finally:
        model.train(was_training)
    return gap


def _check_length(config: Config, hf_config: Any) -> None:
    wanted = config.sampling.max_new_tokens + PROMPT_TOKENS
    sliding = "sliding_attention" in (getattr(hf_config, "layer_types", None) or ())
    window = getattr(hf_config, "sliding_window", None)
    if not hasattr(hf_config, "layer_types"):
        sliding = bool(window) and getattr(hf_config, "use_sliding_window", True)
    limits = {
        "looks back": window if sliding else None,
        "was made for": getattr(hf_config, "max_position_embeddings", None),
    }
    for verb, limit in limits.items():
        if limit and limit < wanted:
            raise WaggleError(
                f"The model {config.model.id} cannot be trained with these settings",
                f"it {verb} {limit} tokens; a prompt and its completion may take {wanted}",
                f"Set sampling.max_new_tokens to {max(1, limit - PROMPT_TOKENS)} or less"
                if limit > PROMPT_TOKENS
                else "Choose another model",
            )
