"""Nouns: frozen values that every other room passes around."""
