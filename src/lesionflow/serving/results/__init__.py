"""What an answer is: the formats that a client may ask for, where results are kept, and the routes that give them again.

Which study a result belongs to is not known here: that is the job of the same id (`accepted`).
"""
