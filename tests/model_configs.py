"""What the config.json of known models holds of their size."""

# What rinna/japanese-gpt2-medium's config.json holds of its size.
GPT2 = {
    "model_type": "gpt2", "n_embd": 1024, "n_layer": 24, "n_head": 16, "n_positions": 1024,
    "n_inner": 4096, "vocab_size": 32000,
}  # fmt: skip
# rinna/japanese-gpt-neox-3.6b.
NEOX = {
    "model_type": "gpt_neox", "hidden_size": 2816, "num_hidden_layers": 36,
    "num_attention_heads": 22, "intermediate_size": 11264, "max_position_embeddings": 2048,
    "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
# TinyLlama-1.1B: 32 query heads share 4 key heads.
LLAMA = {
    "model_type": "llama", "hidden_size": 2048, "num_hidden_layers": 22,
    "num_attention_heads": 32, "num_key_value_heads": 4, "intermediate_size": 5632,
    "max_position_embeddings": 2048, "vocab_size": 32000, "tie_word_embeddings": False,
}  # fmt: skip
# Qwen3-0.6B: the heads together are twice as wide as the hidden state.
QWEN3 = {
    "model_type": "qwen3", "hidden_size": 1024, "num_hidden_layers": 28,
    "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128,
    "intermediate_size": 3072, "max_position_embeddings": 40960, "vocab_size": 151936,
    "tie_word_embeddings": True,
}  # fmt: skip
# Gemma-2-2B: nothing is said of ties, and its architecture ties.
GEMMA2 = {
    "model_type": "gemma2", "hidden_size": 2304, "num_hidden_layers": 26,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256,
    "intermediate_size": 9216, "max_position_embeddings": 8192, "vocab_size": 256000,
}  # fmt: skip
CONFIGS = {"gpt2": GPT2, "gpt_neox": NEOX, "llama": LLAMA, "qwen3": QWEN3, "gemma2": GEMMA2}
