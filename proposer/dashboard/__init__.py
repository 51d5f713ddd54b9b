"""The dashboard: the runs below some folders, and their reports, over HTTP while scans go on."""
