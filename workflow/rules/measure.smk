# Measures: of each trained block, and of real training samples in its place, which gives the floor of every measure.
#
# input:  the stored data set, its classifier if it has labels, the trained generators
# output: measures.parquet  one row for each seed and measure
#         bias.parquet      EWD, MBWD, bias, bounds and gradient cosines over a ladder of evaluation m
#         mode_steps.parquet  samples at each mode at each evaluation of the training
#         interpolation.parquet, interpolation.npy
#                           distance to the training set along paths between latents, and the samples of a few paths
#         measures.json     seconds and memory of each group of measures
#         signal.parquet    the generator's gradient while critics are trained to their optimum (where asked for)


rule measure:
    input:
        run="<block>/run.json",
        left=expand(
            "<block>/{file}",
            file=["history.parquet", "ranking.parquet", "snapshots.safetensors"],
            allow_missing=True,
        ),
        generator="<block>/generator.safetensors",
        data=rules.data.output,
        classifier=classifier,
        code=MEASURING_CODE,
    output:
        "<block>/measures.parquet",
        "<block>/bias.parquet",
        "<block>/mode_steps.parquet",
        "<block>/interpolation.parquet",
        "<block>/interpolation.npy",
        "<block>/measures.json",
    log:
        "<logs>/measure/{dataset}/{method}/m{batch_size}/seeds{seeds}.log",
    benchmark:
        "<benchmarks>/measure/{dataset}/{method}/m{batch_size}/seeds{seeds}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    params:
        cell=measuring,
        folder=subpath(input.run, parent=True),
        classifier=classifier_option,
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan measure {params.cell:q} --data {input.data:q} {params.classifier}"
        " --device {resources.device} --input {params.folder:q} 2> {log:q}"


rule reference:
    input:
        data=rules.data.output,
        classifier=classifier,
        code=MEASURING_CODE,
    output:
        "<results>/{dataset}/data/measures.parquet",
        "<results>/{dataset}/data/bias.parquet",
        "<results>/{dataset}/data/interpolation.parquet",
        "<results>/{dataset}/data/interpolation.npy",
        "<results>/{dataset}/data/measures.json",
    log:
        "<logs>/reference/{dataset}.log",
    benchmark:
        "<benchmarks>/reference/{dataset}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    params:
        cell=reference,
        folder=subpath(output[0], parent=True),
        classifier=classifier_option,
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan reference {params.cell:q} --data {input.data:q} {params.classifier}"
        " --device {resources.device} --output {params.folder:q} 2> {log:q}"


# Asked for by name: snakemake results/{study}/{dataset}/{method}/m{batch_size}/seeds{seeds}/signal.parquet
rule signal:
    input:
        run="<block>/run.json",
        generator="<block>/generator.safetensors",
        data=rules.data.output,
        code=TRAINING_CODE + code("measures/signal.py", "methods/*.py"),
    output:
        "<block>/signal.parquet",
    log:
        "<logs>/signal/{dataset}/{method}/m{batch_size}/seeds{seeds}.log",
    benchmark:
        "<benchmarks>/signal/{dataset}/{method}/m{batch_size}/seeds{seeds}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    params:
        cell=training,
        critics=critics,
        folder=subpath(input.run, parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan signal {params.cell:q} --data {input.data:q}"
        " --device {resources.device} --input {params.folder:q} --critics {params.critics:q} 2> {log:q}"
