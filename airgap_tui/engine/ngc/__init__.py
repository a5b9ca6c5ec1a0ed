"""NVIDIA's catalogue: its API, how its tags are versioned, and which of them a rule chooses."""
