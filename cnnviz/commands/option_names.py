"""What an option that is unknown here was probably meant to be, by its name in other tools or by its spelling."""

from collections.abc import Collection, Sequence
from difflib import get_close_matches

from cnnviz.errors import InputError, unknown
from cnnviz.errors.meant import folded

NEAR = 0.75  # least similarity, by difflib, of an option that is suggested for its spelling
MOST = 3  # suggestions in one error
SHORTEST = 3  # letters that the beginning of a name must have to say what it is about

# Our option, and what it is called in Keras, PyTorch's examples, Lightning, timm, Hugging Face, and by hand. Where
# several options have an alias in common, the first of them that the command has come first.
ALIASES = {
    "learning-rate": "lr learning_rate learn_rate init_lr initial_lr base_lr max_lr peak_lr eta step_size blr alpha",
    "batch-size": "bs batch b train_batch_size per_device_train_batch_size per_device_batch_size mini_batch minibatch "
    "train_batch batch_sz batchsize global_batch_size",
    "epochs": "epoch e nb_epochs nb_epoch n_epochs num_epochs num_epoch num_train_epochs max_epochs max_epoch "
    "train_epochs total_epochs passes steps max_steps iterations iters n_iter max_iter num_steps",
    "devices": "gpu gpus n_gpu n_gpus num_gpus ngpu device cuda cuda_device accelerator accelerators tpu tpus "
    "tpu_cores num_devices device_count nproc nproc_per_node use_gpu use_cuda no_cuda",
    "images-on": "pin_memory device cache_images in_memory",
    "distributed": "strategy ddp dp multi_gpu num_nodes nodes world_size rank local_rank dist dist_backend "
    "distributed_backend dist_url fsdp coordinator_address",
    "model": "arch architecture a net network backbone m model_name model_name_or_path model_type model_id cnn",
    "model-options": "drop_connect drop_block model_kwargs model_args model_config dropout drop drop_rate drop_path "
    "width hidden hidden_size filters num_filters channels kernel_size activation num_layers depth units",
    "schedule": "lr_schedule sched scheduler lr_scheduler lr_scheduler_type lr_policy lr_decay decay_schedule",
    "optimizer": "opt optim optimiser solver adam sgd",
    "momentum": "beta beta1 betas opt_betas nesterov sgd_momentum",
    "epsilon": "eps adam_epsilon opt_eps",
    "weight-decay": "wd decay l2 l2_reg weight_decay_rate regularization adam_weight_decay",
    "warmup": "warmup_epochs warmup_steps warmup_ratio warmup_lr num_warmup_steps",
    "label-smoothing": "smoothing label_smooth label_smoothing_factor ls",
    "average": "ema model_ema ema_decay model_ema_decay swa polyak moving_average",
    "gradient-clip": "clip clip_grad grad_clip max_grad_norm clip_norm clipnorm clipvalue gradient_clip_val "
    "gradient_clipping clip_gradients",
    "class-weights": "class_weight sample_weight weights_per_class balanced pos_weight",
    "flip": "hflip fliplr horizontal_flip random_flip",
    "flip-vertical": "vflip flipud vertical_flip",
    "crop": "train_crop_mode random_crop random_resized_crop rrc resized_crop",
    "shift": "translate random_crop width_shift_range height_shift_range padding",
    "erase": "reprob remode recount resplit random_erasing cutout erasing random_erase",
    "recipe": "preset",
    "normalize": "norm normalization normalisation standardize mean std mean_std",
    "resize": "crop_pct center_crop interpolation train_interpolation img_size image_size input_size imsize size "
    "resolution res image_shape img_shape input_shape",
    "skip-unreadable": "skip_errors ignore_errors skip_bad skip_corrupt skip_invalid",
    "precision": "amp amp_dtype native_amp apex_amp fp16 bf16 half mixed_precision use_amp dtype compute_dtype "
    "jit_precision float16 bfloat16 fp32",
    "seed": "seed_everything random_seed random_state rng manual_seed s torch_seed rng_seed key",
    "seeds": "n_seeds num_seeds ensemble repeats n_runs trials members",
    "patience": "early_stopping early_stop patience_epochs min_epochs early_stopping_patience es es_patience "
    "stop_patience",
    "validation": "val_split validation_split val_size valid_size test_size val_fraction val_ratio valid_pct "
    "validation_fraction val val_percent_check holdout dev_size",
    "dataset": "data d data_set datasets dataset_name train_data training_data train_set trainset ds task data_path "
    "root",
    "data-dir": "data_path data_root root root_dir data_folder dataset_dir dataset_root dataset_path train_dir "
    "cache_dir",
    "resume": "initial_epoch start_epoch last_epoch checkpoint ckpt c checkpoint_path ckpt_path resume_from "
    "resume_from_checkpoint load load_model restore continue auto_resume load_checkpoint",
    "init-from": "pretrained pretrain pretrained_path init init_weights initial_checkpoint finetune fine_tune weights "
    "transfer load_weights from_pretrained checkpoint ckpt",
    "weights": "pretrained checkpoint ckpt checkpoint_path ckpt_path load load_weights weights_path weight resume "
    "state_dict model_path model_file params",
    "runs": "output_dir outdir out output o output_path log_dir logdir save_dir savedir save_path checkpoint_dir "
    "default_root_dir work_dir experiment_dir results_dir run_dir dest destination save",
    "name": "run_name exp_name experiment experiment_name exp exp_id version run id tag output_dir outdir out output",
    "out": "output_dir outdir output o output_path save_dir savedir save_path save figures fig_dir results_dir dest "
    "destination folder path dir to figures_dir filename",
    "track": "wandb use_wandb tensorboard tb logger loggers report_to tracker trackers log log_to log_wandb project",
    "keep": "save_total_limit save_top_k max_to_keep keep_checkpoint_max checkpoint_hist enable_checkpointing "
    "save_best save_best_only no_checkpoint no_save",
    "keep-every": "save_freq save_every save_interval save_period save_steps save_epochs every_n_epochs "
    "checkpoint_freq checkpoint_interval period",
    "limit": "steps_per_epoch validation_steps limit_val_batches limit_test_batches val_num_samples train_num_samples "
    "epoch_size subset n_samples max_samples num_samples max_train_samples limit_train_batches limit_data fast_dev_run "
    "samples_per_class train_size dry_run overfit_batches smoke_test",
    "verify": "eval evaluate test test_only evaluate_only eval_only check validate_only",
    "prepare-data": "download prepare download_data",
    "config": "cfg config_file config_path yaml conf c hparams args_file",
    "list": "ls list_runs show_runs",
    "sort": "sort_by order order_by key",
    "sweep": "auto_lr_find lr_find lr_finder grid grid_search search hyperparameter_search param_grid hpo tune",
    "to": "export_format export_to fmt",
    "snapshots": "n_snapshots film",
    "export": "torchscript scripting save_model convert onnx to_onnx saved_model",
    "debug": "traceback",
    "timeout": "wait time_out",
    # visualize.py
    "layer": "layers layer_name l target_layer target_layers conv_layer last_conv_layer_name module node",
    "unit": "neuron channel filter unit_index neuron_index unit_id u",
    "channels": "channel filters filter channel_index",
    "metrics": "metric measure measures",
    "measure": "metric metrics measures similarity cka",
    "method": "methods explainer attribution attr cam",
    "top": "topk top_k k n_top",
    "others": "against versus vs other with second",
    "parts": "part sections panels only",
    "level": "confidence confidence_level conf_level ci",
    "resamples": "n_boot n_bootstrap bootstrap n_resamples bootstraps",
    "bins": "n_bins nbins num_bins",
    "methods": "method explainer explainers algorithm attr attribution attributions technique cam",
    "target": "class class_idx cls label y target_class class_index category target_category",
    "image": "img index idx i img_path image_path image_index sample sample_index input file photo picture n images",
    "images": "image img imgs index idx i indices samples sample_indices n num num_images count input range",
    "split": "subset set part partition test train fold",
    "member": "seed run_seed replica",
    "format": "fmt ext extension filetype file_type type file_format fig_format",
    "data": "csv npz json numbers save_data raw export",
    "classes": "num_classes n_classes nb_classes class_names labels label_names names",
    "image-shape": "img_size image_size input_size resolution res img_shape input_shape size imsize shape crop_size",
    "prepare": "normalize normalization mean std preprocess preprocessing preprocess_input scale rescale transform",
    "depth": "max_depth level expand nested",
    "dpi": "resolution quality",
    "style": "theme paper stylesheet",
    "font": "fontfamily font_family typeface",
    "invert": "negative negate inverse inverted",
    "names": "mapping name_map key_map rename",
    "width": "figsize fig_size size",
    "regions": "xrai segments superpixels felzenszwalb region",
    "augment": "aug_smooth augment_smooth tta test_time_augmentation augmented augmentation",
    "overlay": "alpha blend superimpose heatmap_alpha",
    "scale": "vmin vmax clim norm share_scale color_scale",
}
# What no option does, and why.
WITHOUT_OPTION = {
    "images are in memory, so nothing loads them meanwhile": "workers num_workers j n_workers nworkers prefetch "
    "dataloader_num_workers num_data_workers loader_threads prefetch_factor persistent_workers no_prefetcher "
    "use_multiprocessing max_queue_size worker_seeding pin_mem",
    "train.py augments images by --shift, --crop, --flip, --flip-vertical and --erase": "augment augmentation "
    "augmentations aug data_augmentation auto_augment autoaugment aa randaugment rand_augment trivial_augment mixup "
    "cutmix mix_up cut_mix mixup_alpha cutmix_alpha mixup_prob mixup_switch_prob mixup_mode aug_repeats aug_splits "
    "train_transforms transforms transform gaussian_blur blur grayscale brightness contrast saturation hue "
    "color_jitter colorjitter jitter rotate rotation rotation_range degrees affine zoom_range",
    "the loss is cross-entropy, which --label-smoothing and --class-weights change": "loss loss_fn loss_function "
    "criterion objective bce_loss bce jsd_loss jsd focal_loss triplet_loss",
    "the schedules end near 0, except constant, and --warmup is their only number": "min_lr lr_min eta_min end_lr "
    "final_lr decay_epochs decay_milestones milestones decay_rate lr_decay_rate gamma lr_gamma lr_step_size "
    "cooldown_epochs lr_cycle_mul lr_cycle_decay lr_cycle_limit lr_k_decay lr_noise warmup_prefix sched_on_updates "
    "div_factor pct_start",
    "--batch-size is the whole batch, as gradients are not accumulated over steps": "accumulate_grad_batches "
    "grad_accum_steps gradient_accumulation_steps accumulation_steps accum_steps accum_iter grad_accum "
    "grad_accumulation",
    "train.py validates and saves after every epoch": "check_val_every_n_epoch val_check_interval validation_freq "
    "eval_every eval_interval eval_steps eval_freq evaluation_strategy eval_strategy save_strategy validate_every "
    "num_sanity_val_steps",
    "evaluation has batches of its own, whose size changes no result": "validation_batch_size val_batch_size "
    "eval_batch_size test_batch_size per_device_eval_batch_size",
    "the channels are those of the images": "in_chans in_channels num_channels n_channels input_channels",
    "`visualize.py layers` prints the layers": "enable_model_summary model_summary print_model summary",
    "the same options on the same machine give the same result": "deterministic use_deterministic_algorithms "
    "cudnn_deterministic cudnn_benchmark benchmark reproducible",
    "a training whose loss stays NaN or infinite ends with an error": "detect_anomaly terminate_on_nan check_nan "
    "debug_nans nan_check",
    "images have their channels last": "channels_last channels_first data_format image_data_format memory_format",
    "BatchNorm takes its statistics over the batch of all devices": "sync_bn sync_batchnorm dist_bn split_bn "
    "sync_batch_norm",
    "the metrics of a run are in its metrics.jsonl and summary.json": "eval_metric monitor",
    "train.py shuffles the training images in each epoch": "shuffle no_shuffle shuffle_buffer",
    "JAX compiles each step": "compile torch_compile torchcompile jit_compile jit xla",
    "commands print their progress and what they wrote, train.py also a line per epoch": "quiet q silent progress "
    "no_progress progress_bar disable_tqdm log_interval log_every log_freq log_every_n_steps logging_steps print_freq "
    "enable_progress_bar verbose verbosity v",
    "--patience, --keep, --snapshots and --track say what happens after an epoch": "callbacks callback",
    "pictures are files, whose paths are printed": "show open display view interactive browser no_show",
    "titles and captions say what is drawn, and --style paper leaves them out": "title titles suptitle caption "
    "captions no_title",
    "eigen_cam and eigen_grad_cam are methods of --methods": "eigen_smooth",
    "robustness draws FGSM and projected gradient descent next to each other": "attack attacks pgd fgsm",
    "by default the classes are those of the data set": "num_classes n_classes nb_classes",
    "JAX uses the GPU or TPU that it finds, and JAX_PLATFORMS=cpu forbids it": "gpu cuda use_gpu use_cuda no_cuda tpu "
    "cpu device accelerator",
    "colors follow the values, sequential for unsigned and diverging for signed ones": "cmap colormap colors color "
    "palette",
    "`cnnviz --version` prints it": "version",
}
REASONS = {folded(name): reason for reason, names in WITHOUT_OPTION.items() for name in names.split()}


def is_option(arguments: Sequence[str], place: int, flags: Collection[str]) -> bool:
    """Whether an argument is an option: it begins with two dashes, or with one and a letter where no value stands.

    `flags` are the names of the options that take no value.
    """
    if arguments[place].startswith("--"):
        return True
    return arguments[place][:1] == "-" and arguments[place][1:2].isalpha() and not is_value(arguments, place, flags)


def is_value(arguments: Sequence[str], place: int, flags: Collection[str]) -> bool:
    """Whether an argument is in the place of the value of the option before it."""
    before = arguments[place - 1] if place else ""
    return before.startswith("--") and "=" not in before and before[2:].replace("-", "_") not in flags


def without_option(
    option: str, known: Collection[str], owners: Sequence[str], elsewhere: Collection[str] = ()
) -> InputError:
    """The error for an option that is not known; it says which was probably meant, or what has such an option.

    `known` are the names of the options there are, without dashes, `owners` are those that have this one, and
    `elsewhere` are the options of `train.py` for one of `visualize.py`.
    """
    name = option.split("=")[0].lstrip("-").replace("_", "-")
    suggested = meant(name, known) or ([] if owners else get_close_matches(name, list(known), n=1, cutoff=NEAR))
    facts = [f"did you mean {' or '.join(f'--{one}' for one in suggested)}?"] if suggested else []
    facts += [f"it is an option of {' and of '.join(owners)}."] if owners else []
    facts += [f"{reason}."] if (reason := _reason(name)) else []
    if not facts and (there := meant(name, elsewhere)):
        facts = [f"--{there[0]} is an option of train.py."]
    first, *more = facts or ["--help lists all options."]
    sentences = [f"{option!r} is not an option; {first}", *map(_begun, more)]
    return InputError(" ".join(sentences))


def _begun(sentence: str) -> str:
    """The sentence with a capital letter at its start, unless that is the name of a command."""
    return sentence if ".py" in sentence.split()[0] else f"{sentence[0].upper()}{sentence[1:]}"


def _reason(name: str) -> str:
    """Why no option has this name, or one that it denies (no-aug) or begins with (mixup-off-epoch); else empty."""
    words = name.split("-")
    parts = [folded("".join(words[:count])) for count in range(len(words), 0, -1)]
    found = [REASONS.get(part) or REASONS.get(part.removeprefix("no")) for part in parts if len(part) >= SHORTEST]
    exact = REASONS.get(folded(name))
    return exact or next(filter(None, found), "")


def unknown_field(kind: str, names: str | Sequence[str], known: Collection[str]) -> InputError:
    """The error for options that are spelled as fields, in a file or a sweep; `known` are the fields there are."""
    every = [names] if isinstance(names, str) else names
    *first, last = [str(unknown(kind, name, known, _fields_meant(name, known))) for name in every]
    return InputError(" ".join([*(each.partition(" Known: ")[0] for each in first), last]))


def _fields_meant(name: str, known: Collection[str]) -> list[str]:
    return [one.replace("-", "_") for one in meant(name, [one.replace("_", "-") for one in known])]


def meant(name: str, known: Collection[str]) -> list[str]:
    """The known options that this name means: the same spelled differently, or those that other tools call so.

    The name of a flag's opposite, `no-flip`, means `flip`.
    """
    asked = folded(name)
    if same := [one for one in known if folded(one) in (asked, asked.removeprefix("no"))]:
        return same[:1]
    return [ours for ours, others in ALIASES.items() if ours in known and asked in map(folded, others.split())][:MOST]
