"""Serves a model in the form of OpenAI, with the server of llama.cpp, until standard input ends. Prints its address.

serve.py MODEL [vectors]: with it, the model embeds texts, as the mean of its last layer, instead of writing them
"""
import sys

import xllamacpp

params = xllamacpp.CommonParams()
params.model.path = sys.argv[1]
params.hostnames = ["127.0.0.1"]
params.port = 0
params.n_parallel = 1
params.n_ctx = 2048
# Its threads wait for each other without sleeping: more than are idle make it slower.
params.cpuparams.n_threads = 1
params.cpuparams_batch.n_threads = 1
if sys.argv[2:] == ["vectors"]:
    params.embedding = True
    params.pooling_type = xllamacpp.llama_pooling_type.LLAMA_POOLING_TYPE_MEAN
server = xllamacpp.Server(params)
print(server.listening_address, flush=True)
sys.stdin.read()
