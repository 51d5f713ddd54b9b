"""Where points run: `protocol` says what an executor is."""
