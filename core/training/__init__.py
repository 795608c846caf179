"""The room that owns torch: model, sampler, training step, tasks, scoring, checkpoints."""

import os

# Read by OpenMP when torch loads it, so it must be set before that: threads that wait for one
# another sleep instead of spinning. Spinning is a little quicker on an idle machine, and ten times
# slower as soon as another process wants a core (measured: 2 threads on 2 busy cores).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Read by torch at its first allocation: large tensors come in huge pages (madvise), so that giving
# memory back after use costs few page faults.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
