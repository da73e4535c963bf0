"""What is minimised: pure functions of tensors, one file for each kind of teacher."""
