"""The colours of all figures: Okabe and Ito's palette, which colour-blind readers can distinguish."""

BLUE, ORANGE, GREEN, PURPLE, RED, SKY = "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9"
GREY = "#7F7F7F"
# Training and validation, and tasks of seen and of unseen classes, keep their colours in all figures.
TRAIN, VALIDATION, CHANCE = BLUE, ORANGE, GREY
SEEN, UNSEEN = BLUE, ORANGE
# Held-out parts of the zoo: name in words, and colour.
PARTS = {"test": ("seen classes", SEEN), "unseen": ("unseen classes", UNSEEN)}
