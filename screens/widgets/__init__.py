"""What the screens are made of: one-line controls, tables and bars drawn cell by cell."""
