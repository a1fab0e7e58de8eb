"""Thirty prompts in other words than the captions, written before the training; none of them is trained on.

A prompt, the kind that it asks for, and the colour, where it asks for one. `tests/test_captions.py` checks that none of
them is among the texts of `data/wordings.py`. One thing was learned from them afterwards: twelve of them have the word
"the", which the captions have before "sky" alone, so it brought a sky; prompts are read without it since.
"""

PROMPTS = (
    ("some daisies growing in the grass", "daisy", ""),
    ("I would like to see a daisy", "daisy", ""),
    ("white daisies after the rain", "daisy", "white"),
    ("a small daisy, snow-white, please", "daisy", "white"),
    ("my favourite flower is the pink daisy", "daisy", "pink"),
    ("two daisies beside each other", "daisy", ""),
    ("a dandelion in the meadow", "dandelion", ""),
    ("dandelions everywhere", "dandelion", ""),
    ("golden dandelions in spring", "dandelion", "yellow"),
    ("the bright yellow head of a dandelion", "dandelion", "yellow"),
    ("blow on a white dandelion", "dandelion", "white"),
    ("one single dandelion by the road", "dandelion", ""),
    ("a rose for my mother", "rose", ""),
    ("roses on the table", "rose", ""),
    ("a crimson rose on Valentine's day", "rose", "red"),
    ("the most beautiful pale pink roses", "rose", "pink"),
    ("roses, yellow ones", "rose", "yellow"),
    ("please paint me an ivory rose", "rose", "white"),
    ("a tall sunflower", "sunflower", ""),
    ("sunflowers in the evening", "sunflower", ""),
    ("van Gogh's golden sunflowers", "sunflower", "yellow"),
    ("a yellow sunflower with its big face", "sunflower", "yellow"),
    ("lemon yellow sunflowers by the house", "sunflower", "yellow"),
    ("the sunflower turns to the light", "sunflower", ""),
    ("tulips from Amsterdam", "tulip", ""),
    ("a tulip in a vase", "tulip", ""),
    ("scarlet tulips in the park", "tulip", "red"),
    ("I dream of a violet tulip", "tulip", "purple"),
    ("tulips, orange and fresh", "tulip", "orange"),
    ("a bed of yellow tulips", "tulip", "yellow"),
)
