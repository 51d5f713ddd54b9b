"""What notebooks and pipelines use: `import proposer` hands it out."""
