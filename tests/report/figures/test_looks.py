"""A method looks the same in every figure and study."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from matplotlib.colors import rgb_to_hsv, to_rgb

from pwgan.report.style import FAMILIES, look, looks, shown

STUDIES = Path(__file__).parents[3] / "workflow/studies"
NAMES = [
    name
    for study in ("claims", "article")
    for name in yaml.safe_load((STUDIES / f"{study}.yaml").read_text())["methods"]
]


def test_a_look_depends_on_the_name_alone():
    for names in (NAMES[:3], NAMES[::-1], ["another", *NAMES]):
        assert {name: looks(names)[name] for name in names} == {name: look(name) for name in names}
    code = "from pwgan.report.style import look; print(look('gan_k5'), look('mine'))"
    fresh = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert fresh.stdout.strip() == f"{look('gan_k5')} {look('mine')}"


def test_the_methods_of_the_studies_differ_in_colour_or_marker():
    seen = {(look(name)["color"], look(name)["marker"]) for name in NAMES}
    assert len(seen) == len(set(NAMES))


def test_variants_have_the_hue_of_the_longest_family_name():
    for variant, family in {"gan_k5": "gan", "wgan_gp_stratified": "wgan_gp", "wgan_k5": "wgan"}.items():
        own, base = (rgb_to_hsv(to_rgb(colour)) for colour in (look(variant)["color"], FAMILIES[family][0]))
        assert abs(own[0] - base[0]) < 0.02 and look(variant)["linestyle"] != "-"
    assert look("ganglion")["color"] != look("gan")["color"]


def test_shown_are_those_that_the_study_names_or_the_first_six():
    frame = pd.DataFrame({"method": ["data", *NAMES]})
    assert shown(frame, ["pwgan", "absent", "gan"]) == ["pwgan", "gan"]
    assert shown(frame, []) == NAMES[:6] == shown(frame, ["absent"])
