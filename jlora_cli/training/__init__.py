"""A settled run -> a finished run folder."""
