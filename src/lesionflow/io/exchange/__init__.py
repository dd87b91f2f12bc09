"""Files that other programs train on, trained, or segmented: nnU-Net's data sets and models, pretrained weights, folders of masks. No program is run here."""
