# Training: one job trains one block of seeds of one cell (data set x method x mini-batch size).
#
# input:  the stored data set, of a law the draws of the block's seeds
# output: run.json             resolved hyper-parameters, versions, device, status of each seed, seconds, peak memory
#         history.parquet      losses, EWD, and the critic's dual and slope over training
#         ranking.parquet      AUC of the critic of each evaluation on the samples of earlier evaluations
#         snapshots.safetensors  samples of the same latents at each evaluation
#         generator.safetensors, samples.npy
# steps:  resume from the block's checkpoint if an interrupted job left one (undeclared, so it survives), else start;
#         on SIGTERM finish the step, write a checkpoint and fail, so that a retry resumes


rule train:
    """Train one block of seeds of one cell (data set, method, mini-batch size)."""
    input:
        data=data_file,
        code=training_code,
    output:
        "<block>/run.json",
        "<block>/history.parquet",
        "<block>/generator.safetensors",
        "<block>/samples.npy",
        "<block>/snapshots.safetensors",
        "<block>/ranking.parquet",
    log:
        "<logs>/train/{dataset}/{method}/m{batch_size}/seeds{seeds}.log",
    benchmark:
        "<benchmarks>/train/{dataset}/{method}/m{batch_size}/seeds{seeds}.tsv"
    conda:
        "../../envs/pwgan.yaml"
    threads: STUDY.threads
    resources:
        gpu=int(DEVICE == "cuda"),
        device=JOB_DEVICE,
        place=place,
    params:
        block=training,
        folder=subpath(output[0], parent=True),
    shell:
        "OMP_NUM_THREADS={threads} python -m pwgan train {params.block:q} --data {input.data:q}"
        " --device {resources.device} --place {resources.place} --output {params.folder:q} 2> {log:q}"
