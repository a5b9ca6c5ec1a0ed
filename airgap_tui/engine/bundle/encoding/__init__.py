"""How layers and archives are encoded: which codecs there are, and layers encoded anew."""
