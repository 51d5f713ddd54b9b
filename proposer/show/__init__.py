"""What people see: progress, pictures, failures, costs."""
