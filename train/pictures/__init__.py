"""Pictures with the words for them, and the model that brings both into one space."""
