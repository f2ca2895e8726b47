"""`python -m afters`."""

from afters.cli import main

main()
