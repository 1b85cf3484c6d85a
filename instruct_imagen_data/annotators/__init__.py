"""Networks that look at pictures and text, one a file: numpy in, numpy out.

`model_set` says which network and which weights serve each role. torch and what stands on it is
imported in a network's `load`, never at the top of a module here.
"""
