"""How layers and archives are encoded: the codecs, and re-encoding of layers."""
