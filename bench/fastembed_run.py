"""Embeds texts with fastembed as it comes: default batch size, default threads. Told by a line on standard input, it
prints the seconds each run took. The first line holds the model's directory, pooling and window and the texts, as JSON."""

import json
import os
import shutil
import sys
import tempfile
import time

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType


def prepare(task, directory):
    """The layout that fastembed wants. Without the fixed padding that some tokenizer files carry, which would only slow
    it down: it pads to the longest text of a batch then, as with the models of its own list."""
    shutil.copy(os.path.join(task["directory"], "model.onnx"), directory)
    shutil.copy(os.path.join(task["directory"], "config.json"), directory)
    with open(os.path.join(task["directory"], "tokenizer.json")) as file:
        tokenizer = json.load(file)
    tokenizer["padding"] = tokenizer["truncation"] = None
    with open(os.path.join(directory, "tokenizer.json"), "w") as file:
        json.dump(tokenizer, file)
    with open(os.path.join(directory, "tokenizer_config.json"), "w") as file:
        json.dump({"model_max_length": task["window"], "pad_token": "[PAD]"}, file)


task = json.loads(sys.stdin.readline())
with tempfile.TemporaryDirectory() as directory:
    prepare(task, directory)
    TextEmbedding.add_custom_model(
        model="local",
        pooling=PoolingType[task["pooling"]],
        normalization=True,
        sources=ModelSource(hf="local"),
        dim=384,
        model_file="model.onnx",
    )
    model = TextEmbedding("local", specific_model_path=directory)
    for _ in sys.stdin:
        begun = time.perf_counter()
        count = sum(1 for _ in model.embed(task["texts"]))
        assert count == len(task["texts"])
        print(time.perf_counter() - begun, flush=True)
