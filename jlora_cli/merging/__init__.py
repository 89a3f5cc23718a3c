"""Adapter + base -> model folder, proven equal before it gets its name.

`changes` reads an adapter as what it does to each weight, `shards` writes the base with these
changes tensor by tensor, `folder` puts beside it what a model needs to answer, `stock` the template
where stock tools can use it, `questions` are
what both models are asked, `verify` compares them, and `job` is the order of it all.

Until `verify` is asked for, neither transformers nor peft is loaded: the merge itself needs one
shard of the base, mapped, and the adapter.
"""

from jlora_cli.merging.job import Merged, Terms, merge
from jlora_cli.merging.questions import PROMPTS

__all__ = ["PROMPTS", "Merged", "Terms", "merge"]
