"""What people run: the command line, problem files, trials of scores, the machine examined. Nothing imports it."""
