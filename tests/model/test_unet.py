"""The network: its base bit for bit, what references may and may not change, sizes, files."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import networks
from torch import Tensor

from instruct_imagen_data.errors import UsageError
from model import backbone
from model.context import Context
from model.text import Text
from model.unet import InstructUNet, UNetConfig

EVERY = [(kind, at) for kind in networks.KINDS for at in ("bottleneck", "level")]
TWO = [(0, 0), (0, 1)]  # two references of row 0; row 1 has none
MASK = [[True, True], [False, False]]


def base(network: InstructUNet, sample: Tensor, time: Any, text: Text, mask: bool) -> Tensor:
    """What diffusers' own forward says."""
    told = {"encoder_attention_mask": text.mask} if mask else {}
    out: Tensor = network.backbone(sample, time, text.states, **told).sample
    return out[:, : sample.shape[1]]


@pytest.mark.parametrize(("kind", "at"), EVERY)
@pytest.mark.parametrize("masked", [False, True])
def test_begins_as_its_base_bit_for_bit(kind: str, at: str, masked: bool) -> None:
    network = networks.unet(kind, at, "sincos2d", text_mask=masked)
    sample, time, text = networks.samples(network), torch.tensor([3, 901]), networks.text(2)
    text.mask[1, 4:] = False
    expected = base(network, sample, time, text, masked)
    with_context = network(sample, time, text, networks.context(network, TWO, MASK))
    assert torch.equal(network(sample, time, text), expected)
    assert torch.equal(with_context, expected)


@pytest.mark.parametrize("kind", ["sd", "sd-level"])  # IF's up blocks take no size
def test_sides_that_do_not_halve_evenly_come_out_as_the_base(kind: str) -> None:
    network = networks.unet(kind)
    sample = torch.randn(1, network.config.backbone_config["in_channels"], 10, 14)
    text = networks.text(1)
    out = network(sample, 5, text)
    assert torch.equal(out, base(network, sample, 5, text, False))


@pytest.mark.parametrize(("kind", "at"), EVERY)
def test_references_are_read_once_awake(kind: str, at: str) -> None:
    network = networks.awaken(networks.unet(kind, at))
    sample, text = networks.samples(network), networks.text(2)
    without = network(sample, 500, text)
    out = network(sample, 500, text, networks.context(network, TWO, MASK))
    assert (out[0] - without[0]).abs().max() > 1e-3
    # Row 1 has no reference: exactly what it is without, and never NaN.
    assert torch.equal(out[1], without[1])


@pytest.mark.parametrize(("kind", "at"), EVERY)
@pytest.mark.parametrize("position", ["none", "sincos2d"])
def test_order_of_references_does_not_matter_and_their_markers_do(
    kind: str, at: str, position: str
) -> None:
    network = networks.awaken(networks.unet(kind, at, position))
    sample, text = networks.samples(network), networks.text(2)
    given = networks.context(network, TWO, MASK)
    out = network(sample, 500, text, given)

    def turned(one: Tensor) -> Tensor:
        return one.flip(0)

    other_slots = dataclasses.replace(given, index=turned(given.index))
    other_order = Context(
        turned(given.images),
        given.index,
        Text(turned(given.text.states), turned(given.text.mask)),
        given.mask,
    )
    for same in (other_slots, other_order):
        assert (network(sample, 500, text, same) - out).abs().max() < 1e-5
    # The pictures stay and their markers' texts change places: another meaning.
    swapped = dataclasses.replace(given, text=other_order.text)
    assert (network(sample, 500, text, swapped) - out).abs().max() > 1e-4


@pytest.mark.parametrize(("kind", "at"), EVERY)
def test_what_is_masked_adds_exactly_nothing(kind: str, at: str) -> None:
    network = networks.awaken(networks.unet(kind, at, "sincos2d"))
    sample, text = networks.samples(network), networks.text(2)
    filled = networks.context(network, [(0, 0), (0, 1), (1, 1)], [[True, False], [False, False]])
    other = dataclasses.replace(filled, images=filled.images.clone())
    other.images[1:] = 100.0  # behind the mask
    out = network(sample, 500, text, filled)
    assert torch.equal(out, network(sample, 500, text, other))
    # A slot more, with nothing in it, is no change either.
    one = networks.context(network, [(0, 0)], [[True], [False]])
    padded = dataclasses.replace(one, mask=torch.tensor([[True, False, False], [False] * 3]))
    narrow, wide = network(sample, 500, text, one), network(sample, 500, text, padded)
    assert torch.equal(narrow[1], wide[1])
    assert torch.allclose(narrow, wide, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("kind", "at"), EVERY)
def test_a_batch_without_any_reference_has_a_gradient_for_every_weight(kind: str, at: str) -> None:
    network = networks.awaken(networks.unet(kind, at))
    empty = networks.context(network, [], [[False], [False]])
    out = network(networks.samples(network), 500, networks.text(2), empty)
    assert torch.equal(out, network(networks.samples(network), 500, networks.text(2)))
    out.square().mean().backward()
    for name, weights in network.named_parameters():
        assert weights.grad is not None, name
        assert weights.grad.isfinite().all(), name
        if name.startswith("context"):
            assert not weights.grad.any(), name


def test_features_computed_once_give_the_same(tmp_path: Path) -> None:
    network = networks.awaken(networks.unet("if", "level", "sincos2d"))
    sample, text = networks.samples(network), networks.text(2)
    given = networks.context(network, TWO, MASK)
    features = network.features(given)
    assert features.maps.shape == (2, 64, 16)
    assert features.grid == (8, 8)
    assert torch.equal(network(sample, 7, text, features), network(sample, 7, text, given))


@pytest.mark.parametrize("autocast", [False, True])
def test_half_precision_is_near_the_whole(autocast: bool) -> None:
    network = networks.awaken(networks.unet("if", "level", "sincos2d"))
    sample, text = networks.samples(network), networks.text(2)
    given = networks.context(network, TWO, MASK)
    with torch.no_grad():
        whole = network(sample, 500, text, given)
        if autocast:
            with torch.autocast("cpu", torch.bfloat16):
                half = network(sample, 500, text, given)
        else:
            given = dataclasses.replace(given, images=given.images.bfloat16())
            half = network.bfloat16()(sample.bfloat16(), 500, text, given)
    assert half.dtype == torch.bfloat16
    assert (half.float() - whole).abs().mean() < 0.05 * whole.abs().mean()


def test_several_references_may_stand_under_one_marker() -> None:
    network = networks.awaken(networks.unet("if"))
    sample, text = networks.samples(network), networks.text(2)
    given = networks.context(
        network, [(0, 0), (0, 1), (0, 2), (1, 0)], [[True] * 3, [True] + [False] * 2]
    )
    given.text.states[:3] = given.text.states[0]  # three pictures told by one text
    out = network(sample, 500, text, given)
    fewer = dataclasses.replace(
        given, mask=torch.tensor([[True, True, False], [True, False, False]])
    )
    assert (network(sample, 500, text, fewer)[0] - out[0]).abs().max() > 1e-4
    assert torch.equal(network(sample, 500, text, fewer)[1], out[1])


def test_padding_of_a_text_is_not_read() -> None:
    tiny = backbone.network(backbone.preset("tiny"))
    sample = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    short = networks.text(1, length=5, width=64)
    long = Text(torch.zeros(1, 9, 64), torch.zeros(1, 9, dtype=torch.bool))
    long.states[:, :5], long.mask[:, :5] = short.states, True
    long.states[:, 5:] = 50.0
    assert torch.allclose(tiny(sample, 9, short), tiny(sample, 9, long), atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("name", "plain", "bottleneck", "level"),
    [
        ("tiny", 885_603, 902_243, 952_163),
        ("small", 214_113_987, 216_476_355, 233_012_931),
        ("paper", 2_540_171_267, 2_556_956_675, 2_775_166_979),
    ],
)
def test_sizes(name: str, plain: int, bottleneck: int, level: int) -> None:
    """Golden; the paper says 2.51 and 2.76 billion (2.54 and 2.78 here, with "level")."""
    found = backbone.preset(name)
    for at, expected in (("bottleneck", bottleneck), ("level", level)):
        with torch.device("meta"):
            network = InstructUNet(dataclasses.replace(found.unet, at=at))  # type: ignore[arg-type]
        assert sum(one.numel() for one in network.parameters()) == expected
        assert sum(one.numel() for one in network.backbone.parameters()) == plain


def test_the_paper_reads_references_in_fourteen_layers() -> None:
    config = backbone.preset("paper").unet
    with torch.device("meta"):
        network = InstructUNet(config)
        eight = InstructUNet(
            dataclasses.replace(
                config, backbone_config={**config.backbone_config, "layers_per_block": 8}
            )
        )
    assert (len(network.context_down), len(network.context_up)) == (6, 7)
    added = sum(one.numel() for name, one in network.named_parameters() if "context" in name)
    assert added == 14 * (4 * 2048**2 + 4 * 2048)  # four projections and two norms a layer
    # Table 5's eight blocks are another size in diffusers' blocks.
    assert sum(one.numel() for one in eight.backbone.parameters()) == 3_217_228_803


@pytest.mark.parametrize("at", ["bottleneck", "level"])
def test_comes_back_from_disk(tmp_path: Path, at: str) -> None:
    network = networks.awaken(networks.unet("if", at, "sincos2d"))
    network.save_pretrained(str(tmp_path / "network"))
    again = InstructUNet.from_pretrained(str(tmp_path / "network"))
    assert sorted(one.name for one in (tmp_path / "network").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert again.config == network.config
    given = (networks.samples(network), 40, networks.text(2), networks.context(network, TWO, MASK))
    assert torch.equal(network(*given), again(*given))


def test_a_folder_without_a_network_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no network"):
        InstructUNet.from_pretrained(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UsageError, match="not of an InstructUNet"):
        InstructUNet.from_pretrained(str(tmp_path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"backbone": {"addition_embed_type": "text_time"}}, "addition_embed_type = 'text_time'"),
        ({"backbone": {"down_block_types": ["KDownBlock2D"] * 2}}, "KDownBlock2D.*not known"),
        (
            {"backbone": {"projection_class_embeddings_input_dim": 7}},
            "class embedding is not of the text's mean",
        ),
        ({"at": "everywhere"}, "at is bottleneck or level"),
        ({"position": "rope"}, "position is sincos2d or none"),
        ({"head_width": 7}, "16 channels do not divide by 7"),
    ],
)
def test_a_config_of_another_kind_is_told(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        networks.unet("if", **fields)


def test_a_text_as_long_as_a_level_is_told() -> None:
    network = networks.unet("if", text_mask=True)
    with pytest.raises(UsageError, match=r"64 tokens.*8 x 8"):
        network(networks.samples(network), 5, networks.text(2, length=64))


def test_a_config_may_be_written_as_plain_fields() -> None:
    config = UNetConfig(networks.IF_LIKE, at="level")
    assert (config.channels, config.text_width) == (16, networks.WIDTH)
    assert UNetConfig(networks.SD_LIKE).text_width == networks.WIDTH
