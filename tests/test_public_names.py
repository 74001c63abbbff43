"""What the package offers at its top level, and that offering it costs no import of torch."""

import subprocess
import sys

import pytest
import torch

import pwgan
import pwgan.transport


def test_wasserstein_and_solve_are_at_the_top_level():
    x, y = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]] * 3)
    assert float(pwgan.wasserstein(x, y).value) == 5
    assert pwgan.transport.wasserstein is pwgan.wasserstein
    assert pwgan.solve(torch.eye(2)).value == 0


def test_importing_the_package_imports_no_torch():
    code = "import sys, pwgan, pwgan.transport; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_unknown_name_is_an_attribute_error():
    for module in (pwgan, pwgan.transport):
        with pytest.raises(AttributeError, match="nothing"):
            _ = module.nothing
