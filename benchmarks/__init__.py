"""What lodescan costs beside the physics; `make bench` runs all of it."""
