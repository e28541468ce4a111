"""Vectors and scores the way the model cards describe them: ONNX Runtime, one text at a time, nothing of socle.

usage: reference.py MODELS_DIRECTORY <texts.json >results.json
Texts are {"model directory": ["text", …]}, or pairs for the cross-encoder and late interaction; results have the same
shape.
"""

import json
import os
import string
import sys

import numpy as np
import onnxruntime
import tokenizers


def run(directory, texts):
    tokenizer = tokenizers.Tokenizer.from_file(os.path.join(directory, "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    session = onnxruntime.InferenceSession(os.path.join(directory, "model.onnx"), providers=["CPUExecutionProvider"])
    if os.path.basename(directory) == "answerai-colbert-small-v1":
        return [[late_interaction(tokenizer, session, *pair)] for pair in texts]
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


def late_interaction(tokenizer, session, query, document):
    """MaxSim as in ColBERTv2, without masks: [Q] is [unused0] (1), [D] is [unused1] (2)."""
    skipped = {tokenizer.encode(symbol, add_special_tokens=False).ids[0] for symbol in string.punctuation}

    def vectors(ids):
        values = {"input_ids": ids, "attention_mask": [1] * len(ids), "token_type_ids": [0] * len(ids)}
        feed = {i.name: np.array([values[i.name]], dtype=np.int64) for i in session.get_inputs()}
        output = session.run(None, feed)[0][0]
        return output / np.linalg.norm(output, axis=1, keepdims=True)

    ids = tokenizer.encode(query).ids
    ids = ids[:1] + [1] + ids[1:]
    of_query = vectors(ids)
    ids = tokenizer.encode(document).ids
    ids = ids[:1] + [2] + ids[1:]
    of_document = vectors(ids)[[token not in skipped for token in ids]]
    return float((of_query @ of_document.T).max(axis=1).sum())


def pool(model, output):
    if model == "ms-marco-minilm-l12-v2" or model == "use-multilingual-v3":
        return output
    vector = output[0] if model == "bge-small-en-v1.5" else output.mean(axis=0)
    return vector / np.linalg.norm(vector)


models = sys.argv[1]
texts = json.load(sys.stdin)
json.dump({name: run(os.path.join(models, name), texts[name]) for name in texts}, sys.stdout)
