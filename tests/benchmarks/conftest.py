"""The benchmarks are scripts beside one another: their folder is where their imports are looked up."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
