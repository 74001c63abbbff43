# Measures of real training samples (the floor of every measure), and of the gradients that critics provide.
#
# input:  the stored samples of the block's seeds, its classifiers if it has labels; the trained generators
# output: measures.json        of real samples: beside it lie the files that measuring a block writes
#         signal.parquet       the generator's gradient while critics are trained to a standstill (if in the study)
# beside: results/{study}/data/kept/  features of real images and EWDs of real samples, which jobs share: by content, not declared


rule reference:
    """Measure real training samples of a block of seeds in place of generated ones: the floor of each measure."""
    input:
        unpack(measured_from),
    output:
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
        job_seconds=STUDY.job_seconds,
        ahead=ahead,
    params:
        threads=STUDY.threads,
        reference=reference,
        code=reference_code,
        kept=f"{RESULTS}/data/kept",
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan reference {params.reference:q} --data {input.data:q}"
        " --classifier {input.classifier:q} --classifier-heldout {input.classifier_heldout:q}"
        " --kept {params.kept:q} --device {resources.device}"
        " --code {params.code:q} --ahead {resources.ahead} --job-seconds {resources.job_seconds}"
        ' --output "$(dirname {output:q})" 2> {log:q}'


rule signal:
    """Train critics against a block's fixed generators and record the gradients (methods in `signal:` of the study)."""
    input:
        # Critics depend on the training alone, which is among the parameters: measuring again runs nothing here.
        block=ancient("<block>/measures.json"),
        data=data_file,
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
        threads=STUDY.threads,
        block=training,
        critics=critics,
        code=signal_code,
        steps=STUDY.signal_steps,
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan signal {params.block:q} --data {input.data:q}"
        ' --device {resources.device} --place {resources.place} --output "$(dirname {output:q})" --steps {params.steps}'
        " --critics {params.critics:q} 2> {log:q}"
