"""Which file is the image and which its mask, by names and, where these say nothing, by voxels. What is read of them belongs to `image_folders`."""
