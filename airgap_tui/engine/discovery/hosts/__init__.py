"""Other machines: which ones, and their raw material through `ssh` and a script for `sh`."""
