"""`python -m datnet`, the same as the command `datnet`."""

from datnet.commands.main import main

main()
