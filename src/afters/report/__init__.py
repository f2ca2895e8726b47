"""What a run found, told once for the page, the shell and other programs."""
