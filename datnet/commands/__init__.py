"""The subcommands of `datnet`, one file each."""
