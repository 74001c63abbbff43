"""The page says what was judged and nothing else, and shows each figure once, with its question and its answer."""

import base64
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from pwgan.report.claims import FILES
from pwgan.report.claims.checks import CHECKS, run
from pwgan.report.claims.claim import Claim, Criterion
from pwgan.report.claims.page import write_claims
from pwgan.report.claims.paper import SECTIONS, TITLE, page
from pwgan.report.claims.render import as_html, as_markdown, markdown_table
from pwgan.report.claims.results import Cell, NotMeasured, Results, Sample
from pwgan.report.claims.rules import CLAIMS
from pwgan.report.claims.verdicts import judge, judge_all
from pwgan.report.claims.words import answer, changed, count, unequal, verdict_table

PNG = b"\x89PNG\r\n\x1a\n"
VALUES = np.array([0.1, 0.2, 0.15])


def judged(key, parts, first=None, results=None, **options):
    def evidence(results):
        if parts is None:
            raise NotMeasured("no such frame")
        return {name: one if isinstance(one, Sample) else Sample(one) for name, one in parts.items()}

    criterion = Criterion(f"statistic of {key}", evidence, -np.inf, 1.0, **options)
    return judge(Claim(key, f"W < JS & {key} | so", (criterion,), "figures/one", first=first), results)


def mixed():
    return [
        judged("A1", {"ring8": VALUES, "digits": VALUES / 2}, ("inconclusive", "It was blurred.")),
        judged("A2", {"ring8": VALUES + 2}, ("contradicted", "It was something else.")),
        judged("B1", None, ("supported", "It was another.")),
    ]


@pytest.fixture
def drawn(tmp_path):
    names = [name for section in SECTIONS for name, _, _ in section.figures]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(PNG)
    return names


def test_sections_judge_every_claim_once_and_show_at_most_six_figures():
    keys = [key for section in SECTIONS for key in section.claims]
    assert sorted(keys) == sorted(claim.key for claim in CLAIMS)
    figures = [figure for section in SECTIONS for figure in section.figures]
    assert len(figures) <= 6 and all(asked.endswith("?") for _, asked, _ in figures)
    assert {key for *_, keys in figures for key in keys} <= set(keys)


def test_a_page_without_results_states_none(tmp_path, drawn):
    results = Results(tmp_path)
    blocks = list(page(judge_all(CLAIMS, results), [run(check, results) for check in CHECKS], tmp_path))
    text = as_markdown(blocks, tmp_path / "claims").partition("## Appendix B")[0]
    assert not re.search(r"\b(supported|contradicted):", text)
    assert f"Of {len(CLAIMS)} empirical claims, 0 supported, 0 contradicted, 0 inconclusive, {len(CLAIMS)} not" in text
    for name in drawn:
        assert text.count(f"](../{name}.png)") == text.count(f"](../{name}.csv)") == 1
    bold = [line for line in text.splitlines() if line.startswith("**")]
    assert len(bold) == len(drawn) and all("?** " in line and "not measured" in line for line in bold)


def test_answers_give_verdict_effect_and_the_part_that_decides():
    one, two, three = mixed()
    assert (
        answer(one)
        == "supported (inconclusive after correction): 0.15 [0.0258, 0.274] (ring8; at most 1; 1 other part)"
    )
    assert answer(two).startswith("contradicted") and "2.15 [" in answer(two)
    assert answer(three) == "not measured (no such frame)"
    assert count([one, two, three], corrected=False) == "1 supported, 1 contradicted, 0 inconclusive, 1 not measured"


def test_tables_have_a_row_for_each_claim_and_escape_what_would_part_cells():
    table = verdict_table(mixed())
    assert [row[0] for row in table.rows] == ["A1", "A2", "B1"] and {len(row) for row in table.rows} == {10}
    lines = markdown_table(table).splitlines()
    assert all(line.replace("\\|", "").count("|") == 11 for line in lines)


def test_verdicts_that_changed_stand_beside_those_of_the_first_study():
    one, *rest = judge_all([judgement.claim for judgement in mixed()], None)
    table = changed([one, *rest])
    assert [row[0] for row in table.rows] == ["A1"]
    assert table.rows[0][2:] == ("inconclusive", "supported", "It was blurred.")


def test_unequal_compute_is_told_where_it_must_be_equal(study, rows):
    results = study(costs=rows.costs({"gan": [30.0], "pwgan": [39.0]}))
    cells = Cell("ring8", "gan", 64), Cell("ring8", "pwgan", 64)
    apart = judged("A1", {"a": Sample(VALUES, cells)}, results=results, equal_compute=True)
    assert [part.name for part in unequal(apart)] == ["a"]
    assert "10, 13 (unequal)" in verdict_table([apart]).rows[0]
    assert not unequal(judged("A1", {"a": Sample(VALUES, cells)}, results=results))


def test_the_html_page_needs_no_other_file_and_says_the_same(tmp_path, drawn):
    images, texts = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            images.extend(value for name, value in attributes if name == "src")

        def handle_data(self, data):
            texts.append(data)

    results = Results(tmp_path)
    blocks = list(page(judge_all(CLAIMS, results), [run(check, results) for check in CHECKS], tmp_path))
    Reader().feed(as_html(blocks, TITLE))
    assert [base64.b64decode(image.removeprefix("data:image/png;base64,")) for image in images] == [PNG] * len(drawn)
    assert "H1. Mini-batches shrink a generator." in texts
    assert TITLE in texts and any("D* = p_r / (p_r + p_g)" in text for text in texts)


def test_all_files_are_written_for_any_study(study, rows, tmp_path):
    table = rows.measures({("wgan", "coverage@9"): [8, 8, 8], ("wgan_gp", "coverage@9"): [8, np.nan, 3]})
    table += rows.measures({("wgan", "near-modes@9"): [1, 1, 1], ("wgan_gp", "near-modes@9"): [1, np.nan, 1]})
    study(runs=rows.runs(["wgan", "wgan_gp"], diverged=[("wgan_gp", 1)]), measures=table)
    write_claims(tmp_path, tmp_path / "claims")
    assert {path.name for path in (tmp_path / "claims").iterdir()} == set(FILES)
    verdicts = pd.read_csv(tmp_path / "claims/verdicts.csv").set_index("claim")
    assert list(verdicts.index) == [claim.key for claim in CLAIMS]
    assert verdicts.loc["C3", ["effect", "seeds", "lost"]].tolist() == [pytest.approx(1 / 3), 3, 1]
    parts = pd.read_csv(tmp_path / "claims/verdicts-parts.csv")
    assert set(parts.loc[parts["claim"] == "C3", "part"]) == {
        name for method in ("wgan", "wgan_gp") for name in (f"{method} m=64", f"{method} m=64, ring8")
    }
    assert pd.read_csv(tmp_path / "claims/checks.csv")["status"].tolist() == ["not measured"] * len(CHECKS)
