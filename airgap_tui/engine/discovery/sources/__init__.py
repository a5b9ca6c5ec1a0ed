"""What hosts keep or print, one module for each kind, read into findings."""
