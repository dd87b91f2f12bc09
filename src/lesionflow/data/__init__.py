"""Nouns: frozen values that every other room passes around. No files, no decisions, no libraries but numpy and pydantic."""
