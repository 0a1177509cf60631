"""`python -m datnet`, the same as the command `datnet`."""

from datnet.cli import main

main()
