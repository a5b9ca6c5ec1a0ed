"""Which images do these hosts use: one module per source, all of them yielding findings."""
