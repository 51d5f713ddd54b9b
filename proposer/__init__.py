"""The proposer: decides which points to try next, and keeps what came of them."""
