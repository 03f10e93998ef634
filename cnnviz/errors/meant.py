"""What a name that is unknown here was probably meant to be: the same name spelled differently, or another library's.

Names are compared folded: without case, spaces and punctuation, so "Grad-CAM++" is `grad_cam_pp`.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches

# Least similarity, by difflib, of a name that is suggested for its spelling, and of another name for one.
NEAR, VERY_NEAR = 0.6, 0.8

# Our name, and what people type for it: in papers, Captum, tf-explain, Keras, PyTorch, timm, Lightning, Hugging Face.
OTHER_NAMES = {
    # methods
    "gradient": "saliency saliency_map vanilla vanilla_gradient vanilla_gradients backprop backpropagation sensitivity "
    "grad grads gradients plain_gradient simple_gradient",
    "input_x_gradient": "gradient_x_input gradient_input grad_x_input grad_input input_x_grad ixg gxi grad_times_input "
    "gradient_times_input input_times_gradient input_times_grad",
    "smooth_grad": "smooth sg noise_tunnel smooth_gradient smooth_gradients",
    "square_grad": "smooth_grad_squared smooth_grad_sq smooth_grad_square smooth_squared",
    "var_grad": "smooth_grad_variance variance_gradient",
    "integrated_gradients": "ig integrated_gradient integrated_grad integrated_grads int_grad int_grads path_ig",
    "expected_gradients": "eg expected_gradient expected_grad gradient_shap grad_shap gradient_explainer",
    "blur_ig": "blur_integrated_gradients blurred_ig",
    "guided_ig": "gig guided_integrated_gradients adaptive_path",
    "cam": "class_activation_map class_activation_mapping class_activation",
    "grad_cam": "gcam gradient_cam gradcam heatmap heat_map",
    "grad_cam_pp": "grad_cam_plus_plus grad_cam_plus gradcampp grad_cam2",
    "hires_cam": "high_res_cam highres_cam",
    "xgrad_cam": "axiom_cam axiom_grad_cam",
    "elementwise_cam": "grad_cam_elementwise element_wise_cam",
    "layer_cam": "layercam layer_grad_cam",
    "score_cam": "scorecam ss_cam is_cam smoothed_score_cam",
    "ablation_cam": "ablationcam",
    "eigen_cam": "eigencam pca_cam svd_cam",
    "eigen_grad_cam": "eigengradcam",
    "kpca_cam": "kernel_pca_cam kpcacam",
    "fem": "feature_explanation_method feature_based_explanation",
    "refine_cam": "refinecam finer_cam fine_cam",
    "guided_backprop": "gbp guided_bp guided_backpropagation guided_relu guided guided_saliency",
    "deconvnet": "deconv deconvolution deconvolutional",
    "guided_grad_cam": "guided_cam ggc",
    "lrp": "relevance layerwise_relevance layer_wise_relevance_propagation layerwise_relevance_propagation",
    "lrp_zero": "lrp_z lrp_0 z_rule",
    "lrp_epsilon": "lrp_e lrp_eps epsilon_rule epsilon_lrp",
    "lrp_epsilon_plus": "lrp_eps_plus lrp_z_plus zplus",
    "lrp_epsilon_alpha2_beta1": "lrp_alpha_beta lrp_ab lrp_alpha2_beta1 alpha_beta alpha2_beta1",
    "lrp_epsilon_gamma_box": "lrp_gamma lrp_composite gamma_rule",
    "deep_lift": "dl deep_lift_rescale rescale",
    "deep_lift_shap": "shap deep_shap deep_explainer dls shapley",
    "attn_lrp": "attnlrp attention_lrp transformer_lrp",
    "occlusion": "occlude occlusion_sensitivity occlusion_map sliding_window sliding_patch",
    "feature_ablation": "ablation ablate perturbation",
    "feature_permutation": "permutation permutation_importance permute",
    "rise": "randomized_input_sampling random_masks",
    "lime": "lime_image superpixel superpixels local_surrogate",
    "kernel_shap": "shap kernel_explainer shapley",
    "shapley_sampling": "shap shapley shapley_value_sampling shapley_values sampling_explainer",
    "sobol": "sobol_attribution sobol_attribution_method sobol_indices",
    "hsic": "hsic_attribution hsic_attribution_method",
    "neuron_gradient": "neuron_saliency unit_gradient",
    "excitation_backprop": "ebp excitation excitation_bp mwp",
    "full_grad": "full_gradient full_gradients",
    "attention_rollout": "rollout attention attention_map",
    "attention_relevance": "chefer transformer_attribution generic_attention",
    "layer_conductance": "conductance",
    "layer_integrated_gradients": "layer_ig",
    "layer_gradient_x_activation": "layer_grad_x_activation layer_grad_x_act grad_x_activation",
    "internal_influence": "influence",
    # metrics
    "insertion": "insertion_auc insert",
    "deletion": "deletion_auc delete",
    "pixel_flipping": "pixel_perturbation aopc region_perturbation morf lerf",
    "road": "remove_and_debias road_morf road_lerf roar",
    "infidelity": "infid",
    "max_sensitivity": "sensitivity sensitivity_max avg_sensitivity local_lipschitz stability robustness",
    "faithfulness_correlation": "faithfulness faithfulness_estimate correlation",
    "sparseness": "gini sparsity",
    "complexity": "entropy effective_complexity",
    "mprt": "model_parameter_randomization parameter_randomization sanity_check sanity_checks randomization smprt "
    "emprt cascading_randomization",
    "random_logit": "random_logit_test",
    "completeness": "sum_to_delta convergence_delta efficiency",
    "average_increase": "increase_in_confidence confidence_increase",
    # models
    "cnn": "lenet lenet5 convnet conv_net conv simple_cnn small_cnn net basic default chapter",
    "dense": "mlp fc fcn ffn dnn linear perceptron fully_connected feedforward",
    "resnet": "resnet8 resnet20 resnet32 resnet44 resnet56 resnet110 resnet9 wide_resnet wrn small_resnet",
    "resnet50": "resnet101 resnet152 resnext50 resnet50d resnetv2_50 resnet50v2 resnet50_v1 wide_resnet50",
    "resnet18": "resnet18d resnet10 resnet18v1",
    "vgg16": "vgg",
    "mobilenet_v2": "mobilenet mobilenet_v1 mobilenet_v3 mobilenetv3_small mobilenetv3_large mobilenet_v2_100",
    "efficientnet_lite0": "efficientnet efficientnet_b0 efficientnet_lite effnet tf_efficientnet_lite0 efficientnet_v2",
    "convnext_tiny": "convnext convnext_small convnext_base convnextv2 convnext_t",
    # recipes, precisions, optimizers, schedules
    "fast": "quick default speed short small airbench",
    "classic": "book chapter keras simple plain original baseline basic",
    "best": "accurate slow long full good strong",
    "bfloat16": "bf16 half mixed mixed_bfloat16 mixed_float16 16 16_mixed bf16_mixed fp16 float16 f16 amp brain",
    "float32": "fp32 f32 32 single full 32_true float 64 fp64 float64 double tf32",
    "adam": "adamax nadam radam amsgrad lion lamb",
    "adamw": "decoupled_adam adam_decoupled",
    "sgd": "momentum nesterov gradient_descent",
    "one_cycle": "one_cycle_lr onecycle super_convergence cyclic",
    "cosine": "cos cosine_decay cosine_annealing cosine_annealing_lr warmup_cosine cosine_with_warmup",
    "linear": "linear_decay linear_warmup polynomial linear_lr",
    "constant": "none const fixed flat off no",
    # data sets and their parts
    "fashion_mnist": "fashion fmnist fashion_mnist_784 zalando",
    "mnist": "digits handwritten mnist_784 qmnist",
    "kmnist": "kuzushiji kuzushiji_mnist",
    "cifar10": "cifar",
    "svhn": "svhn_cropped street_view_house_numbers",
    "emnist_balanced": "emnist",
    "garments": "synthetic fake toy_data dummy clothes",
    "test": "val valid validation dev eval evaluation testing holdout held_out test_set",
    "train": "training train_set fit learn learning",
    # places, trackers, formats, colors
    "device": "gpu cuda tpu accelerator vram",
    "host": "cpu ram memory disk",
    "tensorboard": "tb board summary_writer tensorboardx",
    "wandb": "wb weights_and_biases weights_biases",
    "png": "jpg jpeg tif tiff bmp gif webp image bitmap",
    "svg": "vector html",
    "pdf": "eps ps latex tex",
    # kinds of picture and commands
    "layers": "summary table architecture structure model layer model_summary",
    "kernels": "kernel filter filters weights weight conv",
    "histograms": "histogram hist distribution hists",
    "activations": "activation feature_maps feature_map featuremaps features maps layer_outputs",
    "attribute": "attribution attributions saliency heatmap heatmaps explain explanation explanations cam gradcam "
    "grad_cam integrated_gradients interpret",
    "curves": "curve loss history learning_curve learning_curves training_curves plot",
    "predictions": "prediction confusion confusion_matrix mistakes errors probabilities",
    "responses": "response filter_response filter_responses convolve convolution kernel_responses",
    "predict": "infer inference classify predict_image recognize",
    "evaluate": "eval evaluation evaluate_set test score metrics benchmark accuracy",
    "compare": "comparison diff difference versus vs similarity cka",
    "units": "unit neuron neurons channel channels dissect dissection",
    "embed": "embedding embeddings tsne umap pca projection",
    "ablation": "pruning lesion knockout",
    "film": "video movie animation gif",
    "robustness": "attack attacks adversarial pgd fgsm corruptions",
    "probe-accuracy": "probe probes linear_probe linear_probes probing",
    # formats of exports
    "keras": "h5 hdf5 tensorflow tf saved_model savedmodel",
    "safetensors": "pt pth torch pytorch huggingface hf",
    "msgpack": "flax ckpt checkpoint orbax",
    "stablehlo": "mlir hlo jax xla",
    # columns of a list of runs
    "accuracy": "acc test_acc test_accuracy val_acc val_accuracy best_accuracy",
    "when": "date time created",
    "visualize": "viz vis plot show visualise explain see look",
}


def folded(name: str) -> str:
    """The name in lower case without spaces and punctuation, a plus sign as a p."""
    return re.sub(r"[\W_]", "", name.casefold().replace("+", "p"))


MEANT: dict[str, list[str]] = {}
for _ours, _others in OTHER_NAMES.items():
    for _other in dict.fromkeys(map(folded, _others.split())):
        MEANT.setdefault(_other, []).append(_ours)


def meant(name: str, known: Iterable[str]) -> list[str]:
    """The known names that this one is another name for; or else the nearest by spelling, if it is near.

    The result is empty if nothing is near, and has more than one name only if the name has several meanings.
    """
    known = list(known)
    asked = folded(name)
    if asked and (same := [one for one in known if folded(one) == asked]):
        return same[:1]
    if named := [one for one in MEANT.get(asked, ()) if one in known]:
        return named
    lower = {one.casefold(): one for one in known}
    if near := get_close_matches(name.casefold(), lower, n=1, cutoff=NEAR):
        return [lower[near[0]]]
    others = [other for other, ours in MEANT.items() if any(one in known for one in ours)]
    near = get_close_matches(asked, others, n=1, cutoff=VERY_NEAR)
    return [one for one in MEANT[near[0]] if one in known] if near else []
