"""The tool itself as something to carry: an executable file, or wheels that run from the medium."""
