"""The inference node: runs models, answers privately where asked, keeps statistics."""

import logging

# Said at their import about accelerators that are not there, beside the node's own log.
for _noisy in ("torchao", "torch.utils._pytree"):
    logging.getLogger(_noisy).setLevel(logging.ERROR)
