"""The wizard: Textual screens that compose a job's spec or draw its snapshot."""
