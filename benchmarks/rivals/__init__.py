"""Other scanners ("rivals") on the problems of `benchmarks.search`: a small script for each, which runs in its own
environment. The process of a rival sees a problem only through `far`. `start` starts and ends the process, and
`answers` answers and counts its questions.
"""
