"""AdamW whose two moments take one byte each per weight, in plain torch.

After Dettmers et al. (2110.02861): moments are kept in blocks of 256 with a float32 scale each,
decoded, moved and encoded again a piece at a time, and small weights keep float32 moments. Two
things are done otherwise:

- The codes come from formulas instead of a table, which is faster without a kernel of our own: a
  square for the signed first moment (8 bits: sign and 127 levels, finer towards zero), and an
  exponential for the second (255 levels a tenth of an octave apart; 0 is exactly zero).
- Rounding is stochastic. The second moment moves by at most a thousandth of itself when gradients
  shrink, far less than half a level: rounded to the nearest, it would never fall again (SOLO,
  2505.00347). The dither is a fixed table of uniform numbers entered at an offset that depends on
  the step and the position alone, so an update is deterministic and resumes exactly.
"""

from __future__ import annotations

import torch
from torch import Tensor

from core.training.rules import BETAS, EPS, Change, State

BLOCK = 256
SMALLEST = 4096
"""Weights with fewer elements are better off with float32 moments."""

LEVELS = 127
PER_OCTAVE = 10.0
_CURVE = 2 ** (1 / PER_OCTAVE) - 1
_DITHER = (1 << 20) + 7


class Adam8bit:
    """For weights of at least `SMALLEST` elements."""

    name = "adam8bit"

    def __init__(self, weight_decay: float) -> None:
        self._decay = weight_decay
        self._tables: dict[torch.device, Tensor] = {}

    def start(self, weight: Tensor) -> State:
        """2 + 8/256 bytes per weight."""
        n, device = weight.numel(), weight.device
        blocks = -(-n // BLOCK)
        return {
            "step": torch.tensor(0.0),
            "mean": torch.zeros(n, dtype=torch.int8, device=device),
            "mean_scale": torch.zeros(blocks, dtype=torch.float32, device=device),
            "square": torch.zeros(n, dtype=torch.uint8, device=device),
            "square_scale": torch.zeros(blocks, dtype=torch.float32, device=device),
        }

    def plan(self, gradient: Tensor, state: State, rate: float) -> Change:
        state["step"] += 1
        count = int(state["step"])
        flat = gradient.view(-1)
        step_size = rate / (1 - BETAS[0] ** count)
        root_correction = (1 - BETAS[1] ** count) ** 0.5

        def update(piece: Tensor, start: int, stop: int, width: int) -> None:
            """On a piece made of whole blocks of `width`."""
            blocks = slice(start // BLOCK, start // BLOCK + (stop - start) // width)
            g = flat[start:stop].float().view(-1, width)
            m_code, v_code = (state[key][start:stop].view(-1, width) for key in ("mean", "square"))
            m = decode_signed(m_code, state["mean_scale"][blocks]).lerp_(g, 1 - BETAS[0])
            v = decode_positive(v_code, state["square_scale"][blocks]).mul_(BETAS[1])
            v.addcmul_(g, g, value=1 - BETAS[1])
            state["mean_scale"][blocks] = encode_signed(m, self._dither(m, count, start), m_code)
            state["square_scale"][blocks] = encode_positive(
                v, self._dither(v, -count, start), v_code
            )
            if self._decay:
                piece.mul_(1 - rate * self._decay)
            divisor = v.sqrt_().div_(root_correction).add_(EPS)
            piece.view(-1, width).addcdiv_(m, divisor, value=-step_size)

        def change(piece: Tensor, start: int, stop: int) -> None:
            whole = (stop - start) // BLOCK * BLOCK
            if whole:
                update(piece[:whole], start, start + whole, BLOCK)
            if start + whole < stop:  # the short last block of the weight
                update(piece[whole:], start + whole, stop, stop - start - whole)

        return change

    def _dither(self, like: Tensor, turn: int, start: int) -> Tensor:
        """Uniform numbers in [0, 1), the same for the same turn and start."""
        n = like.numel()
        table = self._tables.get(like.device)
        if table is None or table.numel() < _DITHER + n:
            drawn = torch.rand(_DITHER, generator=torch.Generator().manual_seed(_DITHER))
            table = drawn.repeat(1 + -(-n // _DITHER)).to(like.device)
            self._tables[like.device] = table
        offset = (turn * 611_953 + start * 97) % _DITHER
        return table[offset : offset + n].view(like.shape)


def decode_signed(code: Tensor, scale: Tensor) -> Tensor:
    """float32 [blocks, width]: sign(c) (c / 127)^2 scale."""
    value = code.float()
    return value.mul_(value.abs()).mul_((scale / LEVELS**2).unsqueeze(1))


def encode_signed(values: Tensor, dither: Tensor, out: Tensor) -> Tensor:
    """Write the codes of `values` [blocks, width] to `out` (int8); the scales [blocks].

    Rounds up or down so that the expected value is the value itself, `dither` being uniform.
    """
    scale = values.abs().amax(1)
    size = values.abs().mul_((LEVELS**2 / scale).nan_to_num_(0.0, 0.0).unsqueeze(1))
    level = size.sqrt().floor_()
    # Between level^2 and (level + 1)^2, `over` of the way up.
    over = size.addcmul_(level, level, value=-1).div_(level.mul(2).add_(1))
    level.add_(dither < over).clamp_(max=LEVELS)
    out.copy_(level.copysign_(values))
    return scale


def decode_positive(code: Tensor, scale: Tensor) -> Tensor:
    """float32 [blocks, width]: 2^((c - 255) / 10) scale, and 0 for c = 0."""
    value = code.float()
    there = value > 0
    return value.sub_(255).div_(PER_OCTAVE).exp2_().mul_(there).mul_(scale.unsqueeze(1))


def encode_positive(values: Tensor, dither: Tensor, out: Tensor) -> Tensor:
    """Write the codes of `values` >= 0 [blocks, width] to `out` (uint8); the scales [blocks].

    As `encode_signed`, but what is positive and below the lowest level is raised to it: a
    second moment that is too small would make a step too large.
    """
    scale = values.amax(1)
    there = values > 0
    inverse = scale.reciprocal().nan_to_num_(0.0, 0.0, 0.0).unsqueeze(1)
    height = values.mul(inverse).log2_().mul_(PER_OCTAVE).add_(255).clamp_(1, 255)
    level = height.floor()
    # The level lies `height` of the way up in the exponent, hence `over` in the value itself.
    over = height.sub_(level).div_(PER_OCTAVE).exp2_().sub_(1).div_(_CURVE)
    level.add_(dither < over).clamp_(max=255).mul_(there)
    out.copy_(level)
    return scale
