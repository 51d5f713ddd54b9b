"""What `lodescan init` writes: the draft of a scan file, and where its names come from."""
