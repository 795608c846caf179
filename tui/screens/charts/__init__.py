"""The charts screen: every metric of the run, and what can be done with it."""
