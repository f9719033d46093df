"""The inference node: runs models, answers privately where asked, keeps statistics."""
