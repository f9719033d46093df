"""The main job, shown: every claim is checked, and the first that fails ends it."""
