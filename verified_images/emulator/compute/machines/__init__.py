"""Virtual machines: their bodies, their guests, and what can be asked of them."""
