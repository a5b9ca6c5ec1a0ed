"""What the guided front ends have in common: steps, answers, what they mean, and what to say."""
