"""Settings of all tests. They go into the environment before torch is loaded, so that child processes have them too."""

import os

# Small networks are slower on several threads than on one; waiting threads must not spin.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
# Whatever a test asks for: once two threads were at work in a process, those that it forks wait for the second.
os.environ["OMP_THREAD_LIMIT"] = "1"
# It would start a thread, which processes that are forked later wait for.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
