"""What every room stands on: arrays, estimates, errors, files, caches, threads, progress. It imports nothing of ours."""
