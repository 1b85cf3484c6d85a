"""The network, its two-stage trainer and the sampler; they meet the pipelines on disk alone."""
