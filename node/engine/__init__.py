"""Whatever generates tokens, behind one port (`engine`).

Importing this package forbids the Hugging Face libraries every network access, which
must happen before they are imported: models come from directories, never from a hub.
"""

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
