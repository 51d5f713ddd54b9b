"""The report of runs: one page that tells what was asked and found, with pictures to look at, brush and print."""
