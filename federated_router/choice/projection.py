"""A fixed projection of long vectors to a few numbers. Pure.

Decides that signs are drawn once and for ever from a name, so that every process has
the same. A random projection keeps lengths and angles of n vectors within a few per
cent where it has some multiples of log n numbers (Johnson and Lindenstrauss 1984; with
signs: Achlioptas 2003). Refuses to know what is projected.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float32]

_NAME = b"federated-router: signs of the projection of embeddings, 1"


def projection(width: int, features: int) -> Reals:
    """Return signs over sqrt(features), of the shape (width, features).

    A vector of length 1 becomes one of length 1, on average over directions.
    """
    count = width * features
    drawn = hashlib.shake_256(_NAME).digest(-(-count // 8))
    bits = np.unpackbits(np.frombuffer(drawn, dtype=np.uint8), count=count)
    signs = (2 * bits.astype(np.float32) - 1).reshape(width, features)
    return np.asarray(signs / np.sqrt(np.float32(features)), dtype=np.float32)
