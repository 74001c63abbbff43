"""Captions and the page that the report opens on: one caption for each figure and table, each with a known question."""

import re
from types import SimpleNamespace

import pytest

from pwgan.errors import Refused
from pwgan.report import plugins
from pwgan.report.captions import MARK, QUESTIONS, question

docutils = pytest.importorskip("docutils.core", reason="comes with snakemake")
jinja2 = pytest.importorskip("jinja2", reason="comes with snakemake")

pytestmark = pytest.mark.filterwarnings("ignore:Argument .writer_name. will be removed:PendingDeprecationWarning")
FOLDER = plugins.PACKAGE.parent / "workflow" / "report"
CAPTIONS = sorted(path for path in FOLDER.rglob("*.rst") if path.name != "workflow.rst")


def published(text):
    """Render reST as snakemake does; what docutils complains of is within the page."""
    return docutils.publish_parts(text, writer_name="html")["html_body"]


@pytest.mark.parametrize(
    ("folder", "kinds"),
    {"figures": ["figures", "figures/each"], "tables": ["tables"], "theory": ["theory"]}.items(),
)
def test_every_figure_and_table_has_one_caption_and_no_caption_lacks_its_figure(folder, kinds):
    names = [name for kind in kinds for name in plugins.names(kind)]
    assert sorted(path.stem for path in (FOLDER / folder).iterdir()) == sorted(names)


@pytest.mark.parametrize("path", CAPTIONS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_caption_names_its_question_and_says_in_few_sentences_how_to_read(path):
    asked = question(path)
    page = published(path.read_text(encoding="utf-8"))
    shown = re.sub(r"<!--.*?-->|<[^>]+>", "", page, flags=re.DOTALL)
    assert "system-message" not in page and asked.partition(" ")[2] not in shown
    assert 1 <= len(re.findall(r"[.:](?:\s|$)", shown)) <= 5 and len(shown) < 400


def test_questions_are_in_order_in_a_sidebar_and_fit_it():
    asked = sorted({question(path) for path in CAPTIONS})
    assert asked == [f"{number}. {text}" for number, text in enumerate(QUESTIONS, 1)]
    assert max(map(len, asked)) <= 45 and len(asked) < 10


@pytest.mark.parametrize("text", ["Only text.\n", f"{MARK}What?\n\nText.\n", QUESTIONS[0]])
def test_a_caption_without_a_known_question_is_refused(tmp_path, text):
    path = tmp_path / "figure.rst"
    path.write_text(text)
    with pytest.raises(Refused, match=r"figure\.rst begins with"):
        question(path)
    with pytest.raises(Refused, match="missing"):
        question(tmp_path / "none.rst")


def result(path, mime, text="", rows=1):
    """Return what snakemake tells of a file, with the numbers beside a figure."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    if mime == "image/png":
        path.with_suffix(".csv").write_text("a,b\n" + "1,2\n" * rows)
    return SimpleNamespace(path=path, mime=mime, caption=f"<p>Caption of {path.stem}.</p>\n<p>More.</p>")


def landing(categories, **config):
    """Render the page as snakemake does."""
    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((FOLDER / "workflow.rst").read_text(encoding="utf-8"))
    groups = {Category(name): {None: results} for name, results in categories.items()}
    page = published(template.render(snakemake=SimpleNamespace(config=config), categories=groups, files=[]))
    assert "system-message" not in page
    return page


class Category:
    """A category: compared by its name, as those of snakemake are."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __lt__(self, other: "Category") -> bool:
        return self.name < other.name


def test_the_landing_page_goes_through_the_questions(tmp_path):
    figures, tables = tmp_path / "figures", tmp_path / "tables"
    page = landing(
        {
            "2. Do generators reach every mode?": [
                result(figures / "coverage.png", "image/png"),
                result(figures / "another.png", "image/png"),
                result(tables / "main.html", "text/html", "<html><body><h1>Main</h1>\n<td>×</td></body></html>"),
            ],
            "1. Does training converge?": [
                result(figures / "convergence.png", "image/png", rows=0),
                result(figures / "losses.png", "image/png"),
            ],
            "3. What of the article holds?": [result(tmp_path / "claims" / "claims.html", "text/html")],
        },
        study="smoke",
        datasets={"ring8": None},
        methods=["gan", "pwgan"],
    )
    headings = re.findall(r"<h1>(.*?)</h1>", page)
    assert headings == [
        "1. Does training converge?",
        "2. Do generators reach every mode?",
        "Main",
        "3. What of the article holds?",
    ]
    assert re.findall(r'<img alt="(.*?)"', page) == ["losses", "coverage"]
    assert page.count("Caption of") == 2 and "<td>×</td>" in page
    assert f"this.src = results['{figures / 'losses.png'}'].data_uri" in page
    assert [page.count(f">{name}</a>") for name in ("another", "coverage", "convergence", "claims", "main")] == [1] * 5
    assert "Data sets: ring8." in page and "Methods: gan, pwgan." in page and "Study smoke" in page


def test_the_landing_page_needs_no_result():
    assert "Study bare" in landing({}, study="bare")


def test_the_landing_page_leads_with_figures_that_there_are():
    leads = re.search(r"set leads = \[(.*?)\]", (FOLDER / "workflow.rst").read_text(encoding="utf-8"))[1]
    named = {name.strip('" ') for name in leads.split(",")}
    asked = [question(FOLDER / "figures" / f"{name}.rst") for name in sorted(named)]
    assert len(set(asked)) == len(asked) == len(named)
