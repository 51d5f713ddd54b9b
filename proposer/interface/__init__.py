"""The interface for notebooks and pipelines; `import proposer` exports it."""
