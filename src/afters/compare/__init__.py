"""Before against after, Case by Case."""
