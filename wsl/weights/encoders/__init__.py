"""Weight encoders, each a map between flat weights and z_W (sections 2.5, 3.2.1 and 5.1)."""
