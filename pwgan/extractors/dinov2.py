"""DINOv2's ViT-L/14, for FD-DINOv2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from pwgan.errors import Refused
from pwgan.extractors.base import OfPhotographs, as_rgb
from pwgan.extractors.weights import read_weights
from pwgan.lazy import F, torch
from pwgan.optional import optional

if TYPE_CHECKING:
    from torch import Tensor

    from pwgan.networks.layers.classifier import Classifier

SIZE, PATCH, TRAINED = 224, 14, 518
"""Pixels of the input, of a patch, and of the images that the position embeddings are for."""
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class DINOv2(OfPhotographs):
    """The class token of DINOv2's ViT-L/14 after its last norm; the file is dinov2_vitl14_pretrain.pth as published.

    Sources: Stein et al., "Exposing flaws of generative model evaluation metrics and their unfair treatment of
    diffusion models", 2023 (FD-DINOv2, and its preprocessing in their code, dgm-eval); Oquab et al., "DINOv2: learning
    robust visual features without supervision", 2023.
    """

    name: ClassVar[str] = "dinov2"
    features: ClassVar[int] = 1024
    depth: ClassVar[int] = 24
    heads: ClassVar[int] = 16
    source: ClassVar[str] = "DINOv2 ViT-L/14, trained on LVD-142M: a file of 1.2 GB, dinov2_vitl14_pretrain.pth"
    licence: ClassVar[str] = "Apache-2.0"
    preprocessing: ClassVar[str] = (
        f"8 bits, RGB, Pillow's bicubic to {SIZE} × {SIZE} (antialiased, rounded to 8 bits), ImageNet's mean and "
        "standard deviation"
    )
    packages: ClassVar[tuple[str, ...]] = ("timm",)
    extra: ClassVar[str] = "dinov2"
    reads_file: ClassVar[bool] = True

    def load(self, weights: Path | None, model: Classifier | None) -> Any:
        """Raises ``Refused`` for a file with other weights, besides what ``read_weights`` raises."""
        timm = optional("timm", self.extra)
        if weights is None:
            raise Refused(f"features: {self.name} reads its weights from a file: set measures.weights.{self.name}")
        state = read_weights(weights, self.name)
        # Initialising the weights, which are then overwritten, draws random numbers.
        with torch.random.fork_rng(devices=[]):
            network = timm.create_model(
                f"vit_large_patch{PATCH}_dinov2",
                pretrained=False,
                num_classes=0,
                img_size=SIZE,
                embed_dim=self.features,
                depth=self.depth,
                num_heads=self.heads,
            )
        try:
            network.load_state_dict(_without_masks(state))
        except (RuntimeError, TypeError, AttributeError, KeyError) as error:
            raise Refused(f"{weights} holds other weights than those of DINOv2's ViT-L/14 as published") from error
        return network.eval().requires_grad_(False).to(self.device)

    def forward(self, images: Tensor) -> Tensor:
        pixels = resized(as_rgb(images)).to(self.device).float() / 255
        mean, std = (torch.tensor(values, device=self.device).view(1, 3, 1, 1) for values in (MEAN, STD))
        return self.network((pixels - mean) / std)


def resized(images: Tensor) -> Tensor:
    """Return 8-bit RGB images (n, 3, h, w) resized by Pillow, uint8 (n, 3, SIZE, SIZE) on the CPU."""
    import numpy as np
    from PIL import Image

    rows = images.permute(0, 2, 3, 1).cpu().numpy()
    made = [np.asarray(Image.fromarray(row).resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for row in rows]
    return torch.from_numpy(np.stack(made)).permute(0, 3, 1, 2)


def _without_masks(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the published weights as timm's network names them, with position embeddings of its number of patches."""
    kept = {name: value for name, value in state.items() if name != "mask_token"}
    return kept | {"pos_embed": _interpolated(kept["pos_embed"])}


def _interpolated(positions: Tensor) -> Tensor:
    """Resample position embeddings (1, 1 + 37^2, d) to (1, 1 + 16^2, d) as the published model does.

    Bicubic, not antialiased, and with a scale factor a little above 16 / 37, unlike timm's own resampling.
    """
    side, patches = TRAINED // PATCH, SIZE // PATCH
    token, grid = positions[:, :1], positions[:, 1:]
    grid = grid.float().reshape(1, side, side, -1).permute(0, 3, 1, 2)
    grid = F.interpolate(grid, scale_factor=(patches + 0.1) / side, mode="bicubic")
    return torch.cat([token, grid.permute(0, 2, 3, 1).flatten(1, 2)], 1)
