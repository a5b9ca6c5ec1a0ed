"""What opens on top of a screen: questions, choices, and pages of text."""
