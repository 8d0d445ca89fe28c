"""Training data: splitting labelled material, images and texts as inputs, augmentation, and batches. May use recipes,
the table of losses and the specifications of networks; it trains nothing.
"""
