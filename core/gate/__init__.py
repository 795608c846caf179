"""What of a stranger's rollouts may be trained on, and why the rest may not."""
