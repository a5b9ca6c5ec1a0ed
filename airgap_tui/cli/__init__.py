"""The command line: one module per family of verbs; renders results and owns the exit codes."""
