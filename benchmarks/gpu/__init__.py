"""Fine-tuning on one GPU: jlora's profiles beside the recipe that people ran, and other tools.

    python -m benchmarks.gpu            # needs a CUDA GPU, about 8 minutes, no network
    python -m benchmarks.gpu --tiny     # the same on a CPU with a tiny model, in seconds
    python -m benchmarks.gpu --page     # only write docs/gpu.md anew from its figures

Bases have random weights, made on the device; rows are random ids whose lengths are spread like
those of databricks-dolly-15k-ja. Each contestant runs in a process of its own, and what is known
is written after each: a run that is cut off keeps what it has.
"""
