# Published numbers beside ours, under the protocols of the papers (workflow/studies/literature.yaml).
#
# input:  results/{study}/measures.parquet, history.parquet  the trained cells of the protocols
# output: results/{study}/theory/critics-published.csv       critics within a published budget
#         results/{study}/theory/batches.csv                 what a mini-batch distance prefers
#         results/{study}/literature/literature.*            the table


rule literature_tables:
    """Tabulate the published protocols that train no generator."""
    input:
        pairs=str(BASE / "pwgan/literature/pairs.csv"),
        code=code("pwgan.literature.tables"),
    output:
        expand("<results>/theory/{name}.csv", name=LITERATURE_TABLES),
    log:
        "<logs>/literature_tables.log",
    benchmark:
        "<benchmarks>/literature_tables.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
    params:
        threads=STUDY.threads,
        folder=subpath(output[0], parent=True),
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan literature_tables --device {resources.device}"
        " --output {params.folder:q} 2> {log:q}"


rule literature:
    """Compare the published rows with ours."""
    input:
        AGGREGATES,
        rules.literature_tables.output,
        rules.theory.output,
        published=str(BASE / "pwgan/literature/published.csv"),
        code=code("pwgan.literature.page"),
    output:
        expand("<results>/literature/{file}", file=LITERATURE_FILES[:-1]),
        page=reported(
            "literature", LITERATURE_FILES[-1], "literature", page="literature"
        ),
    log:
        "<logs>/literature.log",
    benchmark:
        "<benchmarks>/literature.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        results=subpath(input[0], parent=True),
        folder=subpath(output[0], parent=True),
    shell:
        "python -m pwgan literature --results {params.results:q} --output {params.folder:q} 2> {log:q}"
