"""The forms of the Destination screen: one for each kind of place that images can go to."""
