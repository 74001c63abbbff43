# Data sets and the classifiers trained on them.
#
# input:  the study, and the user's files, whose contents are a parameter: the rules run again if they change
# output: results/{study}/data/{dataset}.safetensors             training and held-out samples
#         results/{study}/data/{dataset}/seeds{a}-{b}.safetensors  of a law: those of each seed, modes, true density
#         results/{study}/data/{dataset}-classifier.safetensors  for labelled images, with its accuracy
#         results/{study}/data/{dataset}-classifier-heldout.safetensors  for features: classifier_heldout
# steps:  load or draw, split, store; train the classifier with fixed settings


rule data:
    """Load a data set and split it into training and held-out samples, or draw both for a block of seeds; store them."""
    output:
        "<results>/data/{data}.safetensors",
    log:
        "<logs>/data/{data}.log",
    benchmark:
        "<benchmarks>/data/{data}.tsv"
    # Blocks wait for data sets and classifiers.
    priority: 1
    conda:
        "../../envs/pwgan.yaml"
    params:
        spec=data_spec,
        code=data_code,
        sources=data_sources,
    shell:
        "python -m pwgan data {params.spec:q} --output {output:q} 2> {log:q}"


rule classifier:
    """Train the classifier of a labelled data set with fixed settings."""
    input:
        data="<results>/data/{dataset}.safetensors",
        code=code("pwgan.measures.classifier"),
    output:
        "<results>/data/{dataset}-classifier.safetensors",
    log:
        "<logs>/classifier/{dataset}.log",
    benchmark:
        "<benchmarks>/classifier/{dataset}.tsv"
    priority: 1
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
    params:
        threads=STUDY.threads,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan classifier --data {input.data:q} --device {resources.device}"
        " --output {output:q} 2> {log:q}"


rule classifier_heldout:
    """Train a classifier on half of the held-out images, for features that no training image has shaped."""
    input:
        data="<results>/data/{dataset}.safetensors",
        code=code("pwgan.measures.classifier"),
    output:
        "<results>/data/{dataset}-classifier-heldout.safetensors",
    log:
        "<logs>/classifier_heldout/{dataset}.log",
    benchmark:
        "<benchmarks>/classifier_heldout/{dataset}.tsv"
    priority: 1
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
    params:
        threads=STUDY.threads,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan classifier --heldout --data {input.data:q} --device {resources.device}"
        " --output {output:q} 2> {log:q}"
