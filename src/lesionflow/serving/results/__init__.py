"""What an answer is: the formats that a client may ask for, where results are kept, how they are given again. Whose one is, the job of its id says (`accepted`), not this room."""
