# Measures: of each trained block, and of real training samples in its place, which gives the floor of every measure.
#
# input:  the stored data set, its classifier if it has labels, the trained generators
# output: measures.parquet  one row for each seed and measure
#         bias.parquet      EWD, MBWD, bias, bounds and gradient cosines over a ladder of evaluation m
#         measures.json     seconds and memory of each group of measures


rule measure:
    input:
        run=BLOCK + "/run.json",
        generator=BLOCK + "/generator.safetensors",
        data=rules.data.output,
        classifier=classifier,
        code=MEASURING_CODE,
    output:
        BLOCK + "/measures.parquet",
        BLOCK + "/bias.parquet",
        BLOCK + "/measures.json",
    log:
        RESULTS + "/logs/measure/{dataset}/{method}/m{batch_size}/seeds{seeds}.log",
    benchmark:
        RESULTS + "/benchmarks/measure/{dataset}/{method}/m{batch_size}/seeds{seeds}.tsv"
    params:
        cell=measuring,
        folder=BLOCK,
        classifier=classifier_option,
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    conda:
        "../../envs/pwgan.yaml"
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan measure {params.cell:q} --data {input.data:q} {params.classifier}"
        " --device {resources.device} --input {params.folder:q} 2> {log:q}"


rule reference:
    input:
        data=rules.data.output,
        classifier=classifier,
        code=MEASURING_CODE,
    output:
        RESULTS + "/{dataset}/data/measures.parquet",
        RESULTS + "/{dataset}/data/bias.parquet",
        RESULTS + "/{dataset}/data/measures.json",
    log:
        RESULTS + "/logs/reference/{dataset}.log",
    benchmark:
        RESULTS + "/benchmarks/reference/{dataset}.tsv"
    params:
        cell=reference,
        folder=RESULTS + "/{dataset}/data",
        classifier=classifier_option,
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    conda:
        "../../envs/pwgan.yaml"
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan reference {params.cell:q} --data {input.data:q} {params.classifier}"
        " --device {resources.device} --output {params.folder:q} 2> {log:q}"
