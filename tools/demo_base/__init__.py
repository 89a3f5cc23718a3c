"""The embedded demo base: its corpus, its vocabulary and its pre-training."""
