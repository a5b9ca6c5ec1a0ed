"""The verb `discover`: this machine, other hosts and named files, read as one."""
