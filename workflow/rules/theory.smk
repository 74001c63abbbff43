# The article's theory, without trained generators; uses only the name, device and threads of the study.
#
# input:  none
# output: results/{study}/theory/*.csv        closed forms, exact matching, bias, pairs with known distance
#         results/{study}/theory/critics.csv  critics trained on the pairs of recovery.csv
#         results/{study}/theory/*.png        a figure of each table


rule theory:
    """Tabulate the article's theory: closed forms, exact matching, bias of mini-batches, pairs with known distance."""
    input:
        code=code("pwgan.theory.tables", *SAMPLER_MODULES),
    output:
        expand("<results>/theory/{name}.csv", name=THEORY),
    log:
        "<logs>/theory.log",
    benchmark:
        "<benchmarks>/theory.tsv"
    conda:
        "../../envs/pwgan.yaml"
    # Draws of the same size are matched in parallel.
    threads: 2
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan theory --output {params.folder:q} 2> {log:q}"


rule critics:
    """Train critics on pairs with known distance and compare them with exact matching."""
    input:
        code=code("pwgan.theory.critics"),
    output:
        "<results>/theory/critics.csv",
    log:
        "<logs>/critics.log",
    benchmark:
        "<benchmarks>/critics.tsv"
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
        "OMP_NUM_THREADS={params.threads} python -m pwgan critics --device {resources.device} --output {params.folder:q}"
        " 2> {log:q}"


rule theory_figures:
    """Draw the tables of theory and critics."""
    input:
        rules.theory.output,
        rules.critics.output,
        code=code("pwgan.theory.figures", *plugins.modules("theory")),
    output:
        **{
            name: reported("theory", f"{name}.png", f"theory/{name}", figure=name)
            for name in THEORY_FIGURES
        },
    log:
        "<logs>/theory_figures.log",
    benchmark:
        "<benchmarks>/theory_figures.tsv"
    conda:
        "../../envs/pwgan.yaml"
    params:
        folder=subpath(input[0], parent=True),
    shell:
        "python -m pwgan theory_figures --theory {params.folder:q} --output {params.folder:q} 2> {log:q}"
