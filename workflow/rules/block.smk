# Training and measuring: one job for a block of seeds of a cell (data set x method x mini-batch size).
#
# input:  the stored data set, of a law the draws of the block's seeds; its classifiers if it has labels
# output: measures.json        seconds and memory of each group of measures: written last, it stands for the block
# beside: run.json             resolved hyper-parameters, versions, device, status of each seed, seconds, peak memory
#         history.parquet      losses, EWD, and the critic's dual and slope over training
#         ranking.parquet      AUC of the critic of each evaluation on the samples of earlier evaluations
#         snapshots.safetensors  samples of the same latents at each evaluation
#         generator.safetensors, samples.npy
#         measures.parquet     one row per seed and measure
#         bias.parquet         EWD, MBWD, bias, bounds and gradient cosines for several evaluation m
#         mode_steps.parquet   number of samples at each mode at each evaluation of training
#         interpolation.parquet, interpolation.npy
#                              distance to the training set along paths between latents, and the samples of a few paths
# steps:  train, unless files of the same parameters, data and code are there, from the block's checkpoint if an
#         interrupted job left one; then measure. What lies beside the output is not declared: it survives a new measure.
#         On SIGTERM the step is finished, a checkpoint written, and the job fails, so that a retry resumes.


rule block:
    """Train and measure one block of seeds of one cell (data set, method, mini-batch size)."""
    input:
        unpack(measured_from),
    output:
        "<block>/measures.json",
    log:
        "<logs>/block/{dataset}/{method}/m{batch_size}/seeds{seeds}.log",
    benchmark:
        "<benchmarks>/block/{dataset}/{method}/m{batch_size}/seeds{seeds}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
        place=place,
        job_seconds=STUDY.job_seconds,
        ahead=ahead,
    params:
        threads=STUDY.threads,
        block=parameters,
        code=block_code,
        kept=f"{RESULTS}/data/kept",
    shell:
        "OMP_NUM_THREADS={params.threads} python -m pwgan block {params.block:q} --data {input.data:q}"
        " --classifier {input.classifier:q} --classifier-heldout {input.classifier_heldout:q}"
        " --kept {params.kept:q} --device {resources.device} --place {resources.place}"
        " --code {params.code:q} --ahead {resources.ahead} --job-seconds {resources.job_seconds}"
        ' --output "$(dirname {output:q})" 2> {log:q}'
