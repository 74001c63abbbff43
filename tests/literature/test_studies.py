"""The studies of the published protocols: the one for a CPU, and the whole budgets of the papers."""

from pathlib import Path

from snakemake.utils import update_config

from pwgan.config_file import load
from pwgan.literature.rows import published
from pwgan.study import parse_study

STUDIES = Path(__file__).parents[2] / "workflow/studies"


def test_the_whole_budgets_replace_the_shares_of_a_cpu():
    content = load(STUDIES / "literature.yaml")
    share = parse_study(content)
    update_config(content, load(STUDIES / "full/literature.yaml"))
    whole = parse_study(content)
    steps = {
        name: {f"{block.training.dataset}/{block.training.method}": block.training.steps for block in blocks}
        for name, blocks in (("share", share.blocks.values()), ("whole", whole.blocks.values()))
    }
    assert steps["share"].keys() == steps["whole"].keys()
    papers = published().dropna(subset=["steps"]).drop_duplicates(["dataset", "method"])
    trained = papers[papers["protocol"].isin(["fatras", "unrolled", "pacgan"])]
    assert len(trained) > 10
    for row in trained.itertuples():
        cell = f"{row.dataset}/{row.method}"
        assert steps["whole"][cell] == row.steps >= steps["share"][cell], cell
    assert {block.training.seeds for block in whole.blocks.values()} == {10}
