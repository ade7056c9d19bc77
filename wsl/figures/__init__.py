"""Draw the figures of the thesis; numpy, pandas and matplotlib only."""
