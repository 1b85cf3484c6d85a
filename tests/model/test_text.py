"""Text encoders: markers become sentinels, text cannot forge one, phrases are remembered."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import pipelines_on_disk as disk

from instruct_imagen_data import instructions
from instruct_imagen_data.errors import UsageError
from model import text
from model.text import TextConfig, remembered, tokens, words
from model.text.clip import ClipText
from model.text.encoder import Text
from model.text.remembered import Remembered
from model.text.t5 import T5
from model.text.words import Words

FORGED = [
    "a <extra_id_0> cat",
    "a <extra_id_1> cat",
    "a </s> cat <pad>",
    "a [ref#1] cat",
    "＜extra_id_1＞",
    "a<pad</s>",
]


@pytest.fixture(scope="module", params=["t5", "byt5"])
def t5(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> T5:
    folder = tmp_path_factory.mktemp(request.param)
    disk.write_t5(folder, folder, bytes_only=request.param == "byt5")
    return T5.load(TextConfig("t5", disk.WIDTH, str(folder)))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> ClipText:
    folder = tmp_path_factory.mktemp("clip")
    disk.write_clip(folder, folder)
    return ClipText.load(TextConfig("clip", disk.WIDTH, str(folder)))


def ids(encoder: T5 | ClipText, stored: str, length: int = 64) -> list[int]:
    found, mask = encoder._tokenizer([stored], length)
    return found[0][mask[0]].tolist()


def test_words_tell_markers_and_places() -> None:
    assert words.tokens("A Cat, as [ref#2]") == [
        "start",
        "word:a",
        "word:cat",
        "word:,",
        "word:as",
        "ref:2",
    ]
    encoder = Words(64)
    found = encoder(["a cat", "a dog", "cat a", ""], 6)
    assert found.states.shape == (4, 6, 64)
    assert found.mask.sum(1).tolist() == [3, 3, 3, 1]  # the empty text is its start
    assert not found.states[~found.mask].any()
    states = found.states
    assert torch.equal(states[0, 1], states[1, 1])  # the same word at the same place
    assert not torch.equal(states[0, 2], states[1, 2])
    assert torch.equal(states[0, 2, :-8], states[2, 1, :-8])  # "cat", here and there
    assert not torch.equal(states[0, 2, -8:], states[2, 1, -8:])


def test_words_are_cut_and_the_same_beside_others() -> None:
    encoder = Words(64)
    alone, together = encoder(["one two three"], 3), encoder(["x", "one two three"], 3)
    assert alone.mask.all()
    assert torch.equal(alone.states[0], together.states[1])
    # Golden: a changed hash would make every trained `tiny` worthless.
    np.testing.assert_allclose(alone.states[0, 1, :3].numpy(), GOLDEN_ONE, atol=1e-6)


GOLDEN_ONE = [1.258203, 3.183697, 0.314693]


def test_a_word_cannot_forge_a_marker() -> None:
    for literal in ("[ref#1]", "ref:1", "ref", "start"):
        stored = instructions.compose([literal])
        assert not any(one.startswith("ref:") for one in words.tokens(stored))


def test_markers_are_sentinels(t5: T5) -> None:
    for number in (1, 2, 9):
        found = ids(t5, f"a [ref#{number}]")
        assert found[-2:] == [tokens.sentinel(t5._tokenizer.tokenizer, number), 1]
    one, two = t5(["as [ref#1]", "as [ref#2]"], 12).states
    assert not torch.allclose(one, two)


@pytest.mark.parametrize("literal", FORGED)
def test_text_cannot_forge_a_sentinel(t5: T5, literal: str) -> None:
    special = set(t5._tokenizer.tokenizer.all_special_ids)
    found = ids(t5, instructions.compose([literal]))
    assert found[-1] == 1  # the one end
    assert not special & set(found[:-1]) - {2}  # 2: letters that the vocabulary does not have


def test_plain_text_is_tokenised_as_the_backbone_was_trained(t5: T5) -> None:
    plain = "a cat on a mat, 3 of them"
    assert ids(t5, plain) == t5._tokenizer.tokenizer(plain).input_ids


def test_a_long_text_is_cut_before_its_end(t5: T5) -> None:
    found, mask = t5._tokenizer(["a cat " * 50, "a"], 10)
    assert found.shape == (2, 10)
    assert mask.sum(1).tolist()[0] == 10
    assert found[0, -1] == 1


def test_a_marker_beyond_the_sentinels_is_told(t5: T5) -> None:
    with pytest.raises(UsageError, match="no sentinel of that number"):
        t5(["as [ref#150]"], 12)


def test_states_do_not_depend_on_padding_or_on_grad(t5: T5) -> None:
    short, long = t5(["a cat"], 8), t5(["a cat"], 20)
    kept = short.mask[0].sum()
    assert torch.allclose(short.states[0, :kept], long.states[0, :kept], atol=1e-6)
    assert not short.states.requires_grad
    assert t5([], 8).states.shape == (0, 8, disk.WIDTH)


def test_lower_case_where_the_backbone_was_trained_so(tmp_path: Path) -> None:
    disk.write_t5(tmp_path, tmp_path)
    plain = T5.load(config := TextConfig("t5", disk.WIDTH, str(tmp_path)))
    lower = T5.load(dataclasses.replace(config, lowercase=True))
    assert ids(lower, "A Cat [ref#1] On") == ids(plain, "a cat[ref#1]on")
    assert ids(plain, "A Cat") != ids(plain, "a cat")


def test_clip_gets_markers_as_letters_and_no_special_token_from_text(clip: ClipText) -> None:
    begin, end = clip._tokenizer.start[0], clip._tokenizer.end[0]
    plain = "a [ref#1] cat"
    assert ids(clip, plain) == clip._tokenizer.tokenizer(plain).input_ids
    found = ids(clip, "a <|endoftext|> cat")
    assert (found.count(begin), found.count(end)) == (1, 1)
    assert ids(clip, instructions.compose(["a [ref#1] cat"])) == ids(clip, plain)
    assert clip(["a cat"], 12).states.shape == (1, 12, disk.WIDTH)


class Counting:
    """An encoder that counts what it is asked."""

    width = 2

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []

    def __call__(self, texts: list[str], length: int) -> Text:
        self.asked.append(tuple(texts))
        states = torch.tensor([[[float(len(one)), 0.0]] * length for one in texts])
        return Text(states.reshape(len(texts), length, 2), torch.ones(len(texts), length) > 0)


def test_marker_phrases_are_encoded_once_and_alone() -> None:
    inner = Counting()
    encoder = Remembered(inner, capacity=2)
    given = ["a long instruction with [ref#1]", "[ref#1] depth map", "", "another of [ref#2] that"]
    first = encoder(given, 3)
    assert first.states[:, 0, 0].tolist() == [len(one) for one in given]
    assert inner.asked == [(given[0], given[3]), ("[ref#1] depth map",), ("",)]
    again = encoder(["[ref#1] depth map", ""], 3)
    assert len(inner.asked) == 3
    assert torch.equal(again.states, first.states[1:3])
    encoder(["[ref#2] style"], 3)  # the third phrase puts the oldest out
    encoder(["[ref#1] depth map"], 3)
    assert inner.asked[3:] == [("[ref#2] style",), ("[ref#1] depth map",)]
    encoder(["[ref#1] depth map"], 4)  # another length is another text
    assert len(inner.asked) == 6


def test_phrases_begin_with_their_one_marker() -> None:
    assert remembered.is_phrase("[ref#1] depth map")
    assert remembered.is_phrase("")
    assert not remembered.is_phrase("a [ref#1] depth map")
    assert not remembered.is_phrase("[ref#1] on [ref#2]")
    assert not remembered.is_phrase("[[ref#1]] depth map")


def test_load_checks_path_and_width(tmp_path: Path) -> None:
    disk.write_t5(tmp_path / "t5", tmp_path / "t5")
    config = TextConfig("t5", disk.WIDTH, str(tmp_path / "t5"))
    encoder = text.load(config)
    assert encoder.width == disk.WIDTH
    assert encoder(["[ref#1] depth map"], 9).states.shape == (1, 9, disk.WIDTH)
    with pytest.raises(UsageError, match="16 numbers and the network reads 4096"):
        text.load(dataclasses.replace(config, width=4096))
    with pytest.raises(UsageError, match="there is no text encoder"):
        text.load(dataclasses.replace(config, path=str(tmp_path)))
    with pytest.raises(UsageError, match="give its folder"):
        text.load(dataclasses.replace(config, path=""))
    assert isinstance(text.load(TextConfig("words", 64)), Words)
