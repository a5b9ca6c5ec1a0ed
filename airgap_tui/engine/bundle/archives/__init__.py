"""Archives of images: taken apart into a bundle, and made from one."""
