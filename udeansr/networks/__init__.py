"""Networks: tensors in, tensors out. They know no loss, no scale object and no file."""
