"""DINOv2: a small network of random weights in the published format, against a forward pass written by hand."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import transforms

from pwgan.data.store import to_float
from pwgan.errors import Refused
from pwgan.extractors.dinov2 import DINOv2, resized

pytest.importorskip("timm", reason="needs pwgan[dinov2]")
WIDTH, DEPTH, HEADS = 32, 2, 2


class Small(DINOv2):
    """The network of DINOv2 with two blocks of width 32."""

    features, depth, heads = WIDTH, DEPTH, HEADS


@pytest.fixture(scope="module")
def state():
    """Random weights under the names of the published file."""
    draws = torch.Generator().manual_seed(0)
    shapes = {
        "cls_token": (1, 1, WIDTH),
        "pos_embed": (1, 1 + 37 * 37, WIDTH),
        "mask_token": (1, WIDTH),
        "patch_embed.proj.weight": (WIDTH, 3, 14, 14),
        "patch_embed.proj.bias": (WIDTH,),
        "norm.weight": (WIDTH,),
        "norm.bias": (WIDTH,),
    }
    for block in range(DEPTH):
        layers = {
            "norm1": (WIDTH,),
            "attn.qkv": (3 * WIDTH, WIDTH),
            "attn.proj": (WIDTH, WIDTH),
            "norm2": (WIDTH,),
            "mlp.fc1": (4 * WIDTH, WIDTH),
            "mlp.fc2": (WIDTH, 4 * WIDTH),
        }
        for name, shape in layers.items():
            shapes |= {f"blocks.{block}.{name}.weight": shape, f"blocks.{block}.{name}.bias": shape[:1]}
        shapes |= {f"blocks.{block}.ls{i}.gamma": (WIDTH,) for i in (1, 2)}
    return {name: torch.randn(shape, generator=draws) / math.sqrt(shape[-1]) for name, shape in shapes.items()}


@pytest.fixture(scope="module")
def file(state, tmp_path_factory):
    path = tmp_path_factory.mktemp("dinov2") / "small.pth"
    torch.save(state, path)
    return path


def normed(x, state, name):
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    return (x - mean) / np.sqrt(variance + 1e-6) * state[f"{name}.weight"] + state[f"{name}.bias"]


def linear(x, state, name):
    return x @ state[f"{name}.weight"].T + state[f"{name}.bias"]


def by_hand(pixels, state):
    """The class token of one normalised image (3, 224, 224), float64, from the formulas of a vision transformer."""
    positions = state["pos_embed"]
    grid = positions[:, 1:].reshape(1, 37, 37, WIDTH).permute(0, 3, 1, 2)
    grid = torch.nn.functional.interpolate(grid, scale_factor=(16.1 / 37, 16.1 / 37), mode="bicubic")
    state = {name: value.double().numpy() for name, value in state.items()}
    patches = pixels.reshape(3, 16, 14, 16, 14).transpose(1, 3, 0, 2, 4).reshape(256, -1)
    x = patches @ state["patch_embed.proj.weight"].reshape(WIDTH, -1).T + state["patch_embed.proj.bias"]
    x = x + grid.double().numpy().reshape(WIDTH, 256).T
    x = np.concatenate([state["cls_token"][0] + state["pos_embed"][0, :1], x])
    for block in range(DEPTH):
        name = f"blocks.{block}"
        query, key, value = np.split(linear(normed(x, state, f"{name}.norm1"), state, f"{name}.attn.qkv"), 3, axis=1)
        heads = []
        for head in np.split(np.arange(WIDTH), HEADS):
            weights = np.exp(query[:, head] @ key[:, head].T / math.sqrt(WIDTH / HEADS))
            heads.append(weights / weights.sum(1, keepdims=True) @ value[:, head])
        attended = linear(np.concatenate(heads, 1), state, f"{name}.attn.proj")
        x = x + state[f"{name}.ls1.gamma"] * attended
        hidden = linear(normed(x, state, f"{name}.norm2"), state, f"{name}.mlp.fc1")
        hidden = hidden * (1 + np.vectorize(math.erf)(hidden / math.sqrt(2))) / 2
        x = x + state[f"{name}.ls2.gamma"] * linear(hidden, state, f"{name}.mlp.fc2")
    return normed(x, state, "norm")[0]


def test_features_are_the_class_token_of_images_prepared_as_in_dgm_eval(file, state, images):
    colour = images(2, 3, 32, 32) // torch.tensor([1, 4], dtype=torch.uint8).view(2, 1, 1, 1)
    prepared = transforms.Compose(
        [
            transforms.Resize((224, 224), transforms.InterpolationMode.BICUBIC),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    expected = [by_hand(prepared(Image.fromarray(image)).double().numpy(), state) for image in rows(colour)]
    found = Small(file)(colour)
    assert found.shape == (2, WIDTH) and found.dtype == torch.float32
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    assert float((found[0] - found[1]).abs().max()) > 0.01


def rows(images):
    return images.permute(0, 2, 3, 1).numpy()


def test_images_are_resized_by_pillow(images):
    colour = images(2, 3, 20, 20)
    expected = [np.asarray(Image.fromarray(image).resize((224, 224), Image.BICUBIC)) for image in rows(colour)]
    np.testing.assert_array_equal(rows(resized(colour)), expected)
    same = images(1, 3, 224, 224)
    assert torch.equal(resized(same), same)


def test_grey_and_floats(file, images):
    grey, extract = images(3, 1, 8, 8), Small(file, batch=2)
    torch.testing.assert_close(extract(to_float(grey)), extract(grey.repeat(1, 3, 1, 1)))


def test_safetensors_and_random_numbers_of_others(file, state, images, tmp_path):
    save_file(state, tmp_path / "small.safetensors")
    before = torch.get_rng_state()
    same = Small(tmp_path / "small.safetensors")
    assert torch.equal(torch.get_rng_state(), before)
    colour = images(1, 3, 16, 16)
    assert torch.equal(same(colour), Small(file)(colour))


def test_other_weights_are_refused(file, state, tmp_path):
    class Deeper(Small):
        depth = DEPTH + 1

    with pytest.raises(Refused, match=r"small\.pth holds other weights"):
        Deeper(file)
    changes = {
        "registers": state | {"register_tokens": torch.zeros(1, 4, WIDTH)},
        "positions": state | {"pos_embed": torch.zeros(1, 257, WIDTH)},
        "missing": {name: value for name, value in state.items() if name != "pos_embed"},
        "list": [torch.zeros(2)],
    }
    for name, content in changes.items():
        torch.save(content, tmp_path / f"{name}.pth")
        with pytest.raises(Refused, match=rf"{name}\.pth holds other weights"):
            Small(tmp_path / f"{name}.pth")
    with pytest.raises(Refused, match=r"measures\.weights\.dinov2"):
        Small()


def test_the_published_network_has_the_published_size():
    import timm

    with torch.device("meta"):
        network = timm.create_model("vit_large_patch14_dinov2", pretrained=False, num_classes=0, img_size=224)
    assert network.embed_dim == DINOv2.features and len(network.blocks) == DINOv2.depth
    assert network.blocks[0].attn.num_heads == DINOv2.heads
    # Published with position embeddings of 37 × 37 instead of 16 × 16 patches, and a mask token.
    more = (37**2 - 16**2 + 1) * DINOv2.features
    assert sum(parameter.numel() for parameter in network.parameters()) + more == 304_368_640
