"""Models that another server runs, behind the OpenAI API."""
