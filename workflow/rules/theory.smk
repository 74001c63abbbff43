# What the article says without training a generator; asks nothing of the study but its name and device.
#
# input:  none
# output: results/{study}/theory/*.csv                         closed forms, exact matching, bias, known distances
#         results/{study}/theory/critics.csv                           critics trained on the pairs of recovery.csv
#         results/{study}/theory/*.png                                 each table drawn beside it


rule theory:
    input:
        code=THEORY_CODE,
    output:
        expand("<results>/theory/{name}.csv", name=THEORY),
    log:
        "<logs>/theory.log",
    benchmark:
        "<benchmarks>/theory.tsv"
    conda:
        "../../envs/pwgan.yaml"
    # Draws of one size are matched side by side.
    threads: 2
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan theory --output {params.folder:q} 2> {log:q}"


rule critics:
    input:
        code=CRITIC_CODE,
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
        device=DEVICE,
    params:
        folder=subpath(output[0], parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan critics --device {resources.device} --output {params.folder:q}"
        " 2> {log:q}"


rule theory_figures:
    input:
        rules.theory.output,
        rules.critics.output,
        code=code(
            *(
                f"report/{name}.py"
                for name in "theory_figures bias_figures figures panels style statistics frames".split()
            )
        ),
    output:
        **{
            name: report(
                f"<results>/theory/{name}.png",
                caption=f"../report/theory-{name}.rst",
                category="Theory",
                labels={"figure": name},
            )
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
        "python -m pwgan theory_figures --theory {params.folder:q} 2> {log:q}"
