"""Output for people: progress, pictures, failures, costs."""
