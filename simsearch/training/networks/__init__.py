"""Networks: specifications, the networks for images and texts, and the siamese encoder around them. Uses no loss, no
data and no recipe; pretrained models come through `encoders`. `specification` needs no torch.
"""
