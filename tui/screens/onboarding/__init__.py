"""The six steps of a first start."""
