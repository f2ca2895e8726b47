"""Language models: text in, answers and likelihoods out."""

import os

# Before torch is imported by any file of this room: OpenMP's threads sleep while they wait for each other. When they
# spin, as is the default, one other busy process makes a training step ten times slower on two cores (perf/LOG.md).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
