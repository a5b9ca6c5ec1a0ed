"""Shell text as people and schedulers write it: which programs it runs, and with which images."""
