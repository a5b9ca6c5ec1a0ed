"""The engine: everything that does the work. It knows no front end, prints nothing and asks
nothing."""
