"""From options to everything that a run needs to know before torch is imported.

`train --dry-run` shows a proposal; `train` shows it and hands it to the training session.
"""

from jlora_cli.proposal.making import propose
from jlora_cli.proposal.trials import Trial, make_trials
from jlora_cli.proposal.values import Preview, Proposal

__all__ = ["Preview", "Proposal", "Trial", "make_trials", "propose"]
