"""Where points are evaluated: the protocol that a scan knows, and functions on this machine."""
