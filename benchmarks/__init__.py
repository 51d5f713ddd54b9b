"""What lodescan costs in addition to the physics; `make bench` measures all of it."""
