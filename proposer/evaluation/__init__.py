"""Where points are evaluated: what a scan knows of it, and the way that needs no network."""
