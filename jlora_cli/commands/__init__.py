"""One file per verb: options, one call, screen. Nothing else."""
