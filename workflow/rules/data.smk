# Data sets and the classifiers trained on them.
#
# input:  the study
# output: results/{study}/data/{dataset}.safetensors             training and held-out samples, modes, true density
#         results/{study}/data/{dataset}-classifier.safetensors  for labelled images, with its accuracy
# steps:  load or draw, split, store; train the classifier by its fixed rule


rule data:
    input:
        code=data_code,
        store=code("data/store.py"),
    output:
        RESULTS + "/data/{dataset}.safetensors",
    log:
        RESULTS + "/logs/data/{dataset}.log",
    benchmark:
        RESULTS + "/benchmarks/data/{dataset}.tsv"
    params:
        spec=data_spec,
    conda:
        "../../envs/pwgan.yaml"
    shell:
        "python -m pwgan data {params.spec:q} --output {output:q} 2> {log:q}"


rule classifier:
    input:
        data=rules.data.output,
        code=code("measures/classifier.py"),
    output:
        RESULTS + "/data/{dataset}-classifier.safetensors",
    log:
        RESULTS + "/logs/classifier/{dataset}.log",
    benchmark:
        RESULTS + "/benchmarks/classifier/{dataset}.tsv"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=DEVICE,
    conda:
        "../../envs/pwgan.yaml"
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan classifier --data {input.data:q} --device {resources.device}"
        " --output {output:q} 2> {log:q}"
