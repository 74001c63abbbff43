"""A file of random weights of the Inception network, and images."""

import pytest
import torch


def some_bytes(*shape):
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="session")
def inception_weights(tmp_path_factory):
    """A file of random weights of the very network, made without loading any."""
    module = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")

    class Unloaded(module.FeatureExtractorInceptionV3):
        def load_state_dict(self, state_dict):
            pass

    patch = pytest.MonkeyPatch()
    patch.setattr(module, "load_state_dict_from_url", lambda *_, **__: {})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Unloaded("inception", ["2048"])
        for layer in network.modules():  # the default initial weights shrink every image to nearly the same features
            if isinstance(layer, torch.nn.Conv2d):
                torch.nn.init.kaiming_normal_(layer.weight)
    patch.undo()
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    torch.save(network.state_dict(), path)
    return path


@pytest.fixture(scope="session")
def images():
    """Return the maker of random 8-bit images of a shape, the same each time."""
    return some_bytes
