"""What trained networks are asked afterwards: where they look, and how their features lie. For trials with kept weights."""
