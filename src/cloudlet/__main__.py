"""`python -m cloudlet`: the command line."""

from cloudlet.cli.main import main

main()
