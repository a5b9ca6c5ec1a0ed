"""Image archives: unpacked into a bundle, and built from one."""
