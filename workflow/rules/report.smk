# Tables, figures and verdicts from the results of all cells.
#
# input:  every trained and measured block, and the references
# output: results/{study}/*.parquet             tidy frames of the whole study
#         results/{study}/tables/*.{csv,md,html}
#         results/{study}/figures/*.{csv,png}   each figure and the values that it shows
#         results/{study}/claims/*              verdicts and the page of claims


rule aggregate:
    """Join the results of all cells into tidy frames."""
    input:
        SIGNALS,
        expand("{folder}/measures.json", folder=FOLDERS),
        data=DATA_FILES + CLASSIFIERS,
        code=code("pwgan.report.aggregate"),
    output:
        AGGREGATES,
    log:
        "<logs>/aggregate.log",
    benchmark:
        "<benchmarks>/aggregate.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        manifest=str(MANIFEST),
        signals=SIGNALS,
        results=subpath(output[0], parent=True),
    shell:
        "python -m pwgan aggregate --output {params.results:q} --data {input.data:q} --cells @{params.manifest:q}"
        " --signals {params.signals:q} 2> {log:q}"


rule figures:
    """Draw every figure of the study and write the CSV that it is drawn from."""
    input:
        AGGREGATES,
        data=DATA_FILES,
        code=code("pwgan.report.figures", *plugins.modules("figures", "figures/each")),
    output:
        expand("<results>/figures/{name}.csv", name=FIGURES),
        expand(
            "<results>/figures/{name}.{format}",
            name=FIGURES,
            format=[name for name in STUDY.figure_formats if name != "png"],
        ),
        **{
            name.replace("-", "__"): reported(
                "figures",
                f"{name}.png",
                f"figures/{name.partition('-')[0]}",
                figure=name.replace("-", ": "),
            )
            for name in FIGURES
        },
    log:
        "<logs>/figures.log",
    benchmark:
        "<benchmarks>/figures.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        results=subpath(input[0], parent=True),
        figures=subpath(output[0], parent=True),
        highlight=STUDY.highlight,
        formats=STUDY.figure_formats,
    shell:
        "python -m pwgan figures --results {params.results:q} --output {params.figures:q}"
        " --highlight {params.highlight:q} --formats {params.formats:q} 2> {log:q}"


rule tables:
    """Write every table of the study as CSV, Markdown and HTML."""
    input:
        AGGREGATES,
        code=code("pwgan.report.tables", *plugins.modules("tables")),
    output:
        expand("<results>/tables/{name}.{ext}", name=TABLES, ext=["csv", "md"]),
        **{
            name: reported("tables", f"{name}.html", f"tables/{name}", table=name)
            for name in TABLES
        },
    log:
        "<logs>/tables.log",
    benchmark:
        "<benchmarks>/tables.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        results=subpath(input[0], parent=True),
        tables=subpath(output[0], parent=True),
    shell:
        "python -m pwgan tables --results {params.results:q} --output {params.tables:q} 2> {log:q}"


rule claims:
    """Judge every claim of the article by its rule and write the page of claims."""
    input:
        AGGREGATES,
        rules.figures.output,
        rules.theory.output,
        rules.theory_figures.output,
        code=code("pwgan.report.claims.page"),
    output:
        expand("<results>/claims/{file}", file=CLAIM_FILES[:-1]),
        page=reported("claims", CLAIM_FILES[-1], "claims", page="claims"),
    log:
        "<logs>/claims.log",
    benchmark:
        "<benchmarks>/claims.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        results=subpath(input[0], parent=True),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m pwgan claims --results {params.results:q} --output {params.folder:q} 2> {log:q}"
