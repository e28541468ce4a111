"""Vectors and scores the way the model cards describe them: ONNX Runtime, one text at a time, nothing of socle.

usage: reference.py MODELS_DIRECTORY <texts.json >results.json
Texts are {"model directory": ["text", …]}, or pairs for the cross-encoder; results have the same shape.
"""

import json
import os
import sys

import numpy as np
import onnxruntime
import tokenizers


def run(directory, texts):
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"), providers=["CPUExecutionProvider"])
    results = []
    for text in texts:
        encoding = tokenizer.encode(*text) if isinstance(text, list) else tokenizer.encode(text)
        values = {
            "input_ids": encoding.ids,
            "attention_mask": encoding.attention_mask,
            "token_type_ids": encoding.type_ids,
        }
        feed = {i.name: np.array([values[i.name]], dtype=np.int64) for i in session.get_inputs()}
        output = session.run(None, feed)[0][0]
        results.append(pool(os.path.basename(directory), output).tolist())
    return results


def pool(model, output):
    if model == "ms-marco-minilm-l12-v2" or model == "use-multilingual-v3":
        return output
    vector = output[0] if model == "bge-small-en-v1.5" else output.mean(axis=0)
    return vector / np.linalg.norm(vector)


models = sys.argv[1]
texts = json.load(sys.stdin)
json.dump({name: run(os.path.join(models, name), texts[name]) for name in texts}, sys.stdout)
