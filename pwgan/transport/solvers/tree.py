"""A k-d tree of the columns with their highest prices: lists of candidates in few dimensions, without n^2 costs.

The columns of least key c_ij - v_j are found by branch and bound: every column of a node has a key of at least the cost
of the node's box less the node's highest price. Bounds and costs are float64, whatever the scale of the data.
"""

from __future__ import annotations

import numpy as np

from pwgan.transport.solvers import auction
from pwgan.transport.solvers.screen import Source

# Columns of a leaf, at least half of it.
LEAF = 12


class Tree(Source):
    """A balanced tree in the order of a heap: the children of node a are 2 a + 1 and 2 a + 2.

    ``order`` (n,): the columns, leaf by leaf; ``spots`` (n, d): their points; ``begin`` (leaves + 1,): first place of
    each leaf; ``leaf`` (n,): the leaf of a column. ``boxes`` (nodes, 2, d): bounds of the coordinates; ``dearest``
    (nodes,): highest price of the columns of a node.
    """

    # A search takes tens of microseconds.
    inline = batch = 4

    def __init__(self, x: np.ndarray, y: np.ndarray, square: bool, ceiling: float) -> None:
        super().__init__(x, y, square, ceiling)
        n, d = y.shape
        depth = max(int(np.ceil(np.log2(n / LEAF))), 0)
        leaves = 1 << depth
        self.begin = (np.arange(leaves + 1) * n) // leaves
        self.order = np.arange(n, dtype=np.int32)
        for level in range(depth):
            step = leaves >> level
            for a in range(0, leaves, step):
                start, middle, stop = self.begin[[a, a + step // 2, a + step]]
                part = self.order[start:stop]
                points = y[part]
                widest = int(np.argmax(points.max(0) - points.min(0)))
                part[:] = part[np.argpartition(points[:, widest], middle - start)]
        self.spots = np.ascontiguousarray(y[self.order], dtype=np.float64)
        self.leaf = np.empty(n, np.int32)
        self.leaf[self.order] = np.repeat(np.arange(leaves, dtype=np.int32), np.diff(self.begin))
        self.boxes = np.empty((2 * leaves - 1, 2, d))
        self.boxes[leaves - 1 :, 0] = np.minimum.reduceat(self.spots, self.begin[:-1])
        self.boxes[leaves - 1 :, 1] = np.maximum.reduceat(self.spots, self.begin[:-1])
        for node in range(leaves - 2, -1, -1):
            left, right = self.boxes[2 * node + 1], self.boxes[2 * node + 2]
            self.boxes[node] = np.minimum(left[0], right[0]), np.maximum(left[1], right[1])
        self.dearest = np.zeros(2 * leaves - 1)

    def update(self, price: np.ndarray, rounded: np.ndarray) -> None:
        auction.raise_nodes(self.order, self.begin, self.dearest, price)
