"""Keys, and the manifest that seals every file of a bundle: the only cryptography. Nothing of what a bundle's files mean."""
