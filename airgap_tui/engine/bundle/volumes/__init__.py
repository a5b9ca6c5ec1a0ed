"""A bundle cut into volumes that fit on media, written to them and opened from them."""
