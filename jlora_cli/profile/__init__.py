"""Named hardware profiles: find one, read it strictly, say which fit a machine.

A profile is a YAML file of RunConfig keys, with `description` and `extends` besides. The loader
refuses duplicate keys, unknown keys, tags, aliases and anything but UTF-8, and reports all faults
of a file at once, each with its line.
"""

from jlora_cli.profile.files import Profile, load_profile, profile_names, profiles_folder
from jlora_cli.profile.fitting import (
    NEEDS,
    Fitting,
    check_fit,
    choose_profile,
    fitting_profiles,
)
from jlora_cli.profile.reading import ONLY_IN_PROFILES

__all__ = [
    "NEEDS",
    "ONLY_IN_PROFILES",
    "Fitting",
    "Profile",
    "check_fit",
    "choose_profile",
    "fitting_profiles",
    "load_profile",
    "profile_names",
    "profiles_folder",
]
