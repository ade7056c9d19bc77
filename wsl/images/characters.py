"""The classes of the image source `glyphs`: characters by the names of their classes."""

# One class per shape. Characters that look alike in some font have one class together or none: the A of three
# scripts, O and 0, c and C, З and 3. Class names are plain ASCII and differ in more than case, since files are named
# by them.
CAPITALS = {letter: letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}
SMALL = {f"small-{letter}": letter for letter in "abdefghijmnrt"}
NUMBERS = {digit: digit for digit in "123456789"}
GREEK = {
    **{"capital-gamma": "Γ", "capital-delta": "Δ", "capital-lambda": "Λ", "capital-xi": "Ξ", "capital-sigma": "Σ"},
    **{"capital-psi": "Ψ", "capital-omega": "Ω", "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ"},
    **{"epsilon": "ε", "zeta": "ζ", "theta": "θ", "lambda": "λ", "mu": "μ", "xi": "ξ", "pi": "π", "sigma": "σ"},
    **{"omega": "ω"},
}
CYRILLIC = {
    **{"be": "Б", "de": "Д", "zhe": "Ж", "cyrillic-i": "И", "el": "Л", "tse": "Ц", "che": "Ч", "sha": "Ш", "yery": "Ы"},
    **{"reversed-e": "Э", "yu": "Ю", "ya": "Я"},
}
SIGNS = {
    **{"ampersand": "&", "at": "@", "number-sign": "#", "percent": "%", "question-mark": "?", "dollar": "$"},
    **{"section-sign": "§", "euro": "€", "pound-sign": "£"},
}
CHARACTERS = CAPITALS | SMALL | NUMBERS | GREEK | CYRILLIC | SIGNS
