"""The same LoRA job through jlora and its neighbours, each in an environment of its own."""
