"""The engines that solve assignment problems; ``pwgan.transport`` chooses among them."""
