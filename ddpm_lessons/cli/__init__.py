"""What the commands do; `__main__` reads their options."""
