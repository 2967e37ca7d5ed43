"""How a raw event is read, checked and named."""
