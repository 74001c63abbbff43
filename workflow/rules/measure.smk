# Measures of each trained block, and of real training samples (the floor of every measure).
#
# input:  the stored samples of the block's seeds, its classifier if it has labels, the trained generators
# output: measures.parquet  one row per seed and measure
#         bias.parquet      EWD, MBWD, bias, bounds and gradient cosines for several evaluation m
#         mode_steps.parquet  number of samples at each mode at each evaluation of training
#         interpolation.parquet, interpolation.npy
#                           distance to the training set along paths between latents, and the samples of a few paths
#         measures.json     seconds and memory of each group of measures
#         results/{study}/data/features/  features of real images, which the jobs share: kept by content, not declared
#         signal.parquet    the generator's gradient while critics are trained to a standstill (if in the study)


rule measure:
    """Measure the trained generators of one block."""
    input:
        run="<block>/run.json",
        left=expand(
            "<block>/{file}",
            file=["history.parquet", "ranking.parquet", "snapshots.safetensors"],
            allow_missing=True,
        ),
        generator="<block>/generator.safetensors",
        data=data_file,
        classifier=classifier,
        classifier_heldout=classifier_heldout,
        code=measuring_code,
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
        device=JOB_DEVICE,
        place=place,
    params:
        block=measuring,
        folder=subpath(input.run, parent=True),
        classifier=classifier_option,
        weights=extractor_weights,
        features=f"{RESULTS}/data/features",
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan measure {params.block:q} --data {input.data:q} {params.classifier}"
        " --features {params.features:q} --device {resources.device} --place {resources.place}"
        " --output {params.folder:q} 2> {log:q}"


rule reference:
    """Measure real training samples of a block of seeds in place of generated ones: the floor of each measure."""
    input:
        data=data_file,
        classifier=classifier,
        classifier_heldout=classifier_heldout,
        code=reference_code,
    output:
        "<reference>/measures.parquet",
        "<reference>/bias.parquet",
        "<reference>/interpolation.parquet",
        "<reference>/interpolation.npy",
        "<reference>/measures.json",
    log:
        "<logs>/reference/{dataset}/seeds{seeds}.log",
    benchmark:
        "<benchmarks>/reference/{dataset}/seeds{seeds}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
    params:
        reference=reference,
        folder=subpath(output[0], parent=True),
        classifier=classifier_option,
        weights=extractor_weights,
        features=f"{RESULTS}/data/features",
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan reference {params.reference:q} --data {input.data:q} {params.classifier}"
        " --features {params.features:q} --device {resources.device} --output {params.folder:q} 2> {log:q}"


rule signal:
    """Train critics against a block's fixed generators and record the gradients (methods in `signal:` of the study)."""
    input:
        run="<block>/run.json",
        generator="<block>/generator.safetensors",
        data=data_file,
        code=signal_code,
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
        device=JOB_DEVICE,
        place=place,
    params:
        block=training,
        critics=critics,
        steps=STUDY.signal_steps,
        folder=subpath(input.run, parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan signal {params.block:q} --data {input.data:q}"
        " --device {resources.device} --place {resources.place} --output {params.folder:q} --steps {params.steps}"
        " --critics {params.critics:q} 2> {log:q}"
