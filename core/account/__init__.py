"""Keeping the account: making, bringing along, locking and exporting it."""
