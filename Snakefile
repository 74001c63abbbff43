# pwgan: primal Wasserstein GANs, measured.
#
#   snakemake --cores 8 --resources gpu=1            the default study, config.yaml
#   snakemake --cores 8 --configfile workflow/studies/article.yaml
#   snakemake --cores 8 figures                      the figures only, from whatever they need
#   snakemake --cores 2 theory_figures               the article's theory: no study, no data set, two minutes
#   snakemake --workflow-profile profiles/slurm      on a cluster
#
# The study is the file of --configfile, else config.yaml of the working directory, else the one beside this file.
# Results are written below the working directory, and the package beside this file is run, from wherever it is started.
#
# Data flows one way: data -> train -> measure -> aggregate -> tables and figures.

from snakemake.exceptions import WorkflowError
from snakemake.utils import min_version

from pwgan.config_file import study_files
from pwgan.errors import Refused

min_version("9.14")

try:
    STUDY_FILES = study_files(workflow.overwrite_configfiles, workflow.basedir)
except (Refused, OSError) as error:
    raise WorkflowError(f"The study is refused: {error}")


# A study given on the command line replaces the default one: merging the two would train the cells of both.
if not workflow.overwrite_configfiles:

    configfile: STUDY_FILES[0]


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/block.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/literature.smk"


# On a cluster these run where snakemake runs: data may need a network, the others take seconds.
localrules:
    all,
    status,
    data,
    aggregate,
    figures,
    tables,
    theory_figures,
    claims,
    literature,


rule status:
    """Which blocks are done, running or failed (beside a running study, with --nolock)."""
    log:
        "<logs>/status.log",
    conda:
        "envs/pwgan.yaml"
    params:
        study=STUDY_FILES[-1],
    shell:
        "python -m pwgan status {params.study:q} 2> {log:q}"


rule all:
    """All tables and figures of the study."""
    default_target: True
    input:
        rules.tables.output,
        rules.figures.output,
