"""The new cross-attention against its formula in numpy, and its position code."""

import numpy as np
import torch

from model import context
from model.context import Context, ContextAttention, Features
from model.text import Text

CHANNELS, HEAD = 16, 8


def layer(position: context.Position) -> ContextAttention:
    torch.manual_seed(0)
    made = ContextAttention(CHANNELS, HEAD, position).double()
    for weights in made.parameters():
        weights.data = torch.randn_like(weights) / 3
    return made


def code(height: int, width: int) -> np.ndarray:
    """[height*width, channels]: sin and cos of the row, then of the column, one loop a number."""
    found = np.zeros((height * width, CHANNELS))
    quarter = CHANNELS // 4
    for row in range(height):
        for column in range(width):
            for number in range(quarter):
                rate = 10_000.0 ** (-number / quarter)
                values = np.sin(row * rate), np.cos(row * rate), np.sin(column * rate)
                at = found[row * width + column]
                at[number], at[quarter + number], at[2 * quarter + number] = values
                at[3 * quarter + number] = np.cos(column * rate)
    return found


def by_hand(made: ContextAttention, hidden: np.ndarray, maps: list[np.ndarray]) -> np.ndarray:
    """One row [channels, H, W] after reading a list of maps [T, channels] of the same grid."""
    weights = {name: one.detach().numpy() for name, one in made.named_parameters()}

    def norm(values: np.ndarray, name: str) -> np.ndarray:
        centred = values - values.mean(-1, keepdims=True)
        unit = centred / np.sqrt(values.var(-1, keepdims=True) + 1e-5)
        return unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    _, height, width = hidden.shape
    place = code(height, width) if made.position == "sincos2d" else 0.0
    queries = norm(hidden.reshape(CHANNELS, -1).T, "norm_queries") + place
    read = [norm(one, "norm_context") for one in maps]
    keys = np.concatenate([one + place for one in read]) @ weights["to_k.weight"].T
    values = np.concatenate(read) @ weights["to_v.weight"].T
    queries = queries @ weights["to_q.weight"].T
    out = np.empty((height * width, CHANNELS))
    for start in range(0, CHANNELS, HEAD):
        head = slice(start, start + HEAD)
        scores = queries[:, head] @ keys[:, head].T / np.sqrt(HEAD)
        shares = np.exp(scores - scores.max(1, keepdims=True))
        out[:, head] = shares / shares.sum(1, keepdims=True) @ values[:, head]
    return hidden + (out @ weights["to_out.weight"].T).T.reshape(hidden.shape)


def test_attention_is_its_formula() -> None:
    rng = np.random.default_rng(0)
    hidden, maps = rng.normal(size=(3, CHANNELS, 3, 4)), rng.normal(size=(4, 12, CHANNELS))
    index = torch.tensor([[0, 2], [1, 0], [0, 0], [1, 1]])
    mask = torch.tensor([[True, False, True], [True, False, False], [False] * 3])
    features = Features(torch.from_numpy(maps), (3, 4), index, mask)
    for position in ("none", "sincos2d"):
        made = layer(position)  # type: ignore[arg-type]
        out = made(torch.from_numpy(hidden), features).detach().numpy()
        # Row 0 reads its slots 0 and 2; row 1 its slot 0 alone, slot 1 is off; row 2 nothing.
        np.testing.assert_allclose(out[0], by_hand(made, hidden[0], [maps[2], maps[0]]), atol=1e-6)
        np.testing.assert_allclose(out[1], by_hand(made, hidden[1], [maps[1]]), atol=1e-6)
        np.testing.assert_array_equal(out[2], hidden[2])


def test_with_positions_the_same_place_can_be_found() -> None:
    """A key's code is most like the code of its own place: what spatial control is learnt from."""
    found = context._code(4, 5, 16, torch.device("cpu")).numpy()
    np.testing.assert_allclose(found, code(4, 5), atol=1e-6)
    likeness = found @ found.T
    assert (likeness.argmax(1) == np.arange(20)).all()


def test_begins_at_zero() -> None:
    made = ContextAttention(CHANNELS, HEAD, "none")
    assert not made.to_out.weight.any()
    hidden = torch.randn(1, CHANNELS, 2, 2)
    features = Features(
        torch.randn(1, 4, CHANNELS), (2, 2), torch.tensor([[0, 0]]), torch.tensor([[True]])
    )
    assert torch.equal(made(hidden, features), hidden)
    made(hidden, features).square().mean().backward()
    assert made.to_out.weight.grad.any()  # and it does not stay there


def test_a_dummy_stands_for_no_reference() -> None:
    text = Text(torch.zeros(0, 5, 7), torch.zeros(0, 5, dtype=torch.bool))
    empty = Context(
        torch.zeros(0, 3, 8, 8),
        torch.zeros(0, 2, dtype=torch.int64),
        text,
        torch.zeros(2, 1, dtype=torch.bool),
    )
    dummy = context.or_dummy(empty)
    assert dummy.images.shape == (1, 3, 8, 8)
    assert dummy.text.states.shape == (1, 5, 7)
    assert not dummy.mask.any()
    assert context.or_dummy(dummy) is dummy
