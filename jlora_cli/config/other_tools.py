"""What other tools call jlora's settings: data, to answer a key that is not one here.

The names are those of transformers' TrainingArguments and BitsAndBytesConfig, PEFT's LoraConfig,
TRL's SFTConfig, axolotl, LLaMA-Factory and Lightning.
"""

from __future__ import annotations

_NAMES = {
    "epochs": "num_train_epochs num_epochs n_epochs max_epochs epoch",
    "max_steps": "max_train_steps total_steps num_steps",
    "batch_size": "per_device_train_batch_size train_batch_size micro_batch_size "
    "per_device_batch_size per_gpu_train_batch_size",
    "gradient_accumulation_steps": "gradient_accumulation grad_accumulation_steps grad_accum "
    "grad_accum_steps accumulation_steps accumulate_grad_batches",
    "learning_rate": "lr max_lr peak_lr",
    "lr_scheduler": "lr_scheduler_type scheduler lr_schedule scheduler_type",
    "warmup_steps or warmup_ratio": "warmup num_warmup_steps lr_warmup_steps",
    "max_grad_norm": "max_gradient_norm gradient_clipping gradient_clip_val clip_grad_norm",
    "optimizer": "optim optim_type",
    "weight_decay": "wd",
    "precision": "mixed_precision dtype torch_dtype compute_dtype bnb_4bit_compute_dtype",
    "precision: bfloat16": "bf16",
    "precision: float16": "fp16",
    "quantization": "quantization_bit quantization_config",
    "quantization: 4bit": "load_in_4bit use_4bit qlora",
    "quantization: 8bit": "load_in_8bit use_8bit",
    "lora_r": "r rank lora_rank lora_dim",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_targets": "target_modules lora_target_modules lora_target lora_modules",
    "lora_variant: rslora": "use_rslora rslora peft_use_rslora",
    "lora_variant: dora": "use_dora dora peft_use_dora",
    "max_length": "max_seq_length max_seq_len max_sequence_length sequence_len cutoff_len "
    "block_size model_max_length seq_length seq_len",
    "packing": "padding pad_to_max_length pad_to_sequence_len sample_packing group_by_length",
    "attention": "attn_implementation flash_attn flash_attention sdp_attention",
    "compile": "torch_compile",
    "gradient_checkpointing": "use_gradient_checkpointing activation_checkpointing",
    "workers": "num_workers dataloader_num_workers preprocessing_num_workers",
    "processes": "num_processes nproc_per_node num_gpus n_gpu gpus",
    "seed": "random_seed data_seed",
    "evaluation_steps": "eval_steps eval_strategy evaluation_strategy evals_per_epoch",
    "checkpoint_steps": "save_steps save_strategy saves_per_epoch save_interval",
    "keep_checkpoints": "save_total_limit",
    "logging_steps": "log_steps log_interval logging_strategy",
    "report_to": "log_with logger loggers reporters",
    "report_to: wandb": "use_wandb",
    "report_to: tensorboard": "use_tensorboard",
    "early_stopping_patience": "early_stopping patience",
    "neftune_alpha": "neftune_noise_alpha",
    "loraplus_ratio": "loraplus_lr_ratio",
    "model": "base_model model_name_or_path model_name model_id model_path "
    "pretrained_model_name_or_path base_model_name_or_path base_model_name",
    "data": "dataset datasets data_path dataset_path dataset_name data_name data_file data_files "
    "train_file train_data train_dataset dataset_file",
    "validation": "eval_dataset validation_file val_file val_dataset validation_data eval_file",
    "template": "prompt_template chat_template prompt_template_name prompt_format",
    "output": "output_dir output_path save_dir output_folder",
}
OWN_NAMES = {other: own for own, others in _NAMES.items() for other in others.split()}


def own_name(key: str) -> str | None:
    """What jlora calls another tool's setting `key`; `fp16` is "precision: float16"."""
    return OWN_NAMES.get(key.lower().replace("-", "_"))
