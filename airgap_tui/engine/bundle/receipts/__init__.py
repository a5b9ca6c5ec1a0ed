"""What the offline side has, and what a bundle leaves out because of it."""
