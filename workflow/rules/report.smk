# From the results of all cells to tables and figures.
#
# input:  the files of every trained and measured block, and of the references
# output: results/{study}/*.parquet             tidy frames of the whole study
#         results/{study}/tables/*.{csv,md,html}
#         results/{study}/figures/*.{csv,png}   each figure beside the numbers that it draws
#         results/{study}/claims/*              verdicts and the page of them, with the figures that it alone needs


rule aggregate:
    input:
        expand(
            "{folder}/{file}",
            folder=FOLDERS,
            file=[
                "run.json",
                "history.parquet",
                "ranking.parquet",
                "mode_steps.parquet",
                "measures.parquet",
                "bias.parquet",
                "interpolation.parquet",
                "measures.json",
            ],
        ),
        expand(
            "{folder}/{file}",
            folder=REFERENCES,
            file=[
                "measures.parquet",
                "bias.parquet",
                "interpolation.parquet",
                "measures.json",
            ],
        ),
        data=DATA_FILES,
        code=code("report/aggregate.py", "data/store.py", "runtime.py"),
    output:
        AGGREGATES,
    log:
        "<logs>/aggregate.log",
    benchmark:
        "<benchmarks>/aggregate.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        folders=FOLDERS + REFERENCES,
        results=subpath(output[0], parent=True),
    shell:
        "python -m pwgan aggregate --output {params.results:q} --data {input.data:q} --cells {params.folders:q} 2> {log:q}"


rule figures:
    input:
        AGGREGATES,
        samples=expand("{folder}/samples.npy", folder=FOLDERS),
        strips=expand("{folder}/interpolation.npy", folder=FOLDERS + REFERENCES),
        data=expand("<results>/data/{dataset}.safetensors", dataset=STUDY.datasets),
        code=FIGURE_CODE,
    output:
        expand("<results>/figures/{name}.csv", name=FIGURES),
        **{
            name.replace("-", "_"): report(
                f"<results>/figures/{name}.png",
                caption=f"../report/{name.partition('-')[0]}.rst",
                category="Figures",
                labels={"figure": name.replace("-", ": ")},
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
    shell:
        "python -m pwgan figures --results {params.results:q} --output {params.figures:q} 2> {log:q}"


rule tables:
    input:
        AGGREGATES,
        code=code(
            "report/tables.py",
            "report/statistics.py",
            "report/frames.py",
            "report/names.py",
            "runtime.py",
        ),
    output:
        expand("<results>/tables/{name}.{ext}", name=TABLES, ext=["csv", "md"]),
        **{
            name.replace("-", "_"): report(
                f"<results>/tables/{name}.html",
                caption=f"../report/table-{name}.rst",
                category="Tables",
                labels={"table": name},
            )
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
    input:
        AGGREGATES,
        rules.figures.output,
        rules.theory.output,
        rules.theory_figures.output,
        signal=SIGNALS,
        code=code(
            "runtime.py",
            *(
                f"report/{name}.py"
                for name in "claims evidence verdicts paper claim_figures figures style statistics tables frames names".split()
            ),
        ),
    output:
        expand("<results>/claims/{file}", file=CLAIM_FILES[:-1]),
        expand("<results>/figures/{name}.csv", name=CLAIM_FIGURES),
        **{
            name: report(
                f"<results>/figures/{name}.png",
                caption=f"../report/{name}.rst",
                category="Figures",
                labels={"figure": name},
            )
            for name in CLAIM_FIGURES
        },
        page=report(
            f"<results>/claims/{CLAIM_FILES[-1]}",
            caption="../report/claims.rst",
            category="Claims",
            labels={"page": "claims"},
        ),
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
