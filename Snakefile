# pwgan: primal Wasserstein GANs, measured.
#
#   snakemake --cores 8 --resources gpu=1            the default study, config.yaml
#   snakemake --cores 8 --configfile workflow/studies/article.yaml
#   snakemake --cores 8 figures                      the figures only, from whatever they need
#   snakemake --cores 2 theory_figures               the article's theory: no study, no data set, two minutes
#   snakemake --workflow-profile profiles/slurm      on a cluster
#
# Data flows one way: data -> train -> measure -> aggregate -> tables and figures.

from snakemake.utils import min_version

min_version("9.14")


# A study given on the command line replaces the default one: merging the two would train the cells of both.
if not workflow.overwrite_configfiles:

    configfile: "config.yaml"


report: "workflow/report/workflow.rst"


include: "workflow/rules/common.smk"
include: "workflow/rules/data.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/theory.smk"
include: "workflow/rules/report.smk"


# On a cluster these run where snakemake runs: data may need a network, the others take seconds.
localrules:
    all,
    data,
    aggregate,
    figures,
    tables,
    theory_figures,
    claims,


rule all:
    """All tables and figures of the study."""
    default_target: True
    input:
        rules.tables.output,
        rules.figures.output,
