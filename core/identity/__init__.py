"""Keeping the peer identity: making, backing up, restoring and checking it."""
