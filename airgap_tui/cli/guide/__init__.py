"""The plain twin of the wizard: the same steps as questions and answers, line by line."""
