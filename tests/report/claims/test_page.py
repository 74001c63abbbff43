"""The page of claims says what was judged, and shows each figure once."""

import base64
from html.parser import HTMLParser

import numpy as np

from pwgan.report.claims.evidence import NotMeasured
from pwgan.report.claims.page import as_html, as_markdown, page, summary
from pwgan.report.claims.rules import Claim
from pwgan.report.claims.verdicts import judge

PNG = b"\x89PNG\r\n\x1a\n"


def judged(key, parts, figure="figures/one"):
    def evidence(results):
        if parts is None:
            raise NotMeasured("no such frame")
        return parts

    return judge(Claim(key, f"W < JS & {key} | so", "a statistic", evidence, -np.inf, 1.0, figure), None)


def claims():
    values = np.array([0.1, 0.2, 0.15])
    return [
        judged("A1", {"ring8": values, "digits": values / 2}),
        judged("A2", {"ring8": values + 2}),
        judged("B1", None, "figures/absent"),
    ]


def test_the_page_counts_verdicts_and_shows_what_there_is_once(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.png").write_bytes(PNG)
    text = as_markdown(page(claims(), tmp_path), tmp_path / "claims")
    assert "Of 3 claims, 1 supported, 1 contradicted and 1 inconclusive." in text
    assert text.count("![one](../figures/one.png)") == 1 and "Figure: one, above." in text
    assert "absent" not in text and "Inconclusive (not measured: no such frame)." in text
    assert "Supported: 0.15 [" in text and "(ring8, 3 seeds; 1 other part)" in text
    places = [text.index(part) for part in ("## A.", "**A1.", "![one]", "**A2.", "## B.", "**B1.")]
    assert places == sorted(places)


def test_the_html_page_needs_no_other_file_and_says_the_same(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures" / "one.png").write_bytes(PNG)
    images, texts = [], []

    class Reader(HTMLParser):
        def handle_starttag(self, tag, attributes):
            images.extend(value for name, value in attributes if name == "src")

        def handle_data(self, data):
            texts.append(data)

    Reader().feed(as_html(page(claims(), tmp_path)))
    assert [base64.b64decode(image.removeprefix("data:image/png;base64,")) for image in images] == [PNG]
    assert {"A1. W < JS & A1 | so", "Inconclusive (not measured: no such frame)."} <= set(texts)


def test_the_table_has_a_row_for_each_claim_and_escapes_what_would_part_cells():
    rows = summary(claims()).splitlines()[2:]
    assert [row.split(" | ")[0] for row in rows] == ["| A1", "| A2", "| B1"]
    assert all(row.replace("\\|", "").count("|") == 5 for row in rows)
