"""The commands of `datnet`, one file each."""
