//! The names and shapes of a config's tensors.

use super::ClipConfig;

impl ClipConfig {
    /// Lists every tensor of the model under OpenCLIP's name, with its shape, in torch's layouts (`[out, in]` for
    /// linears; `visual.proj` and `text_projection` are `[width, embed_dim]`, used as `x @ P`; `logit_scale` has no
    /// axes).
    pub fn expected_tensors(&self) -> Vec<(String, Vec<usize>)> {
        let (vision, text) = (&self.vision, &self.text);
        let mut tensors = vec![
            ("visual.class_embedding".into(), vec![vision.width]),
            ("visual.positional_embedding".into(), vec![vision.tokens(), vision.width]),
            ("visual.conv1.weight".into(), vec![vision.width, 3, vision.patch_size, vision.patch_size]),
            ("visual.proj".into(), vec![vision.width, self.embed_dim]),
        ];
        layer_norm(&mut tensors, "visual.ln_pre", vision.width);
        layer_norm(&mut tensors, "visual.ln_post", vision.width);
        blocks(&mut tensors, "visual.", vision.layers, vision.width, vision.mlp_width);

        tensors.push(("token_embedding.weight".into(), vec![text.vocab_size, text.width]));
        tensors.push(("positional_embedding".into(), vec![text.context_length, text.width]));
        tensors.push(("text_projection".into(), vec![text.width, self.embed_dim]));
        layer_norm(&mut tensors, "ln_final", text.width);
        blocks(&mut tensors, "", text.layers, text.width, text.mlp_width);

        tensors.push(("logit_scale".into(), vec![]));
        tensors
    }

    /// Counts the model's parameters.
    pub fn parameters(&self) -> usize {
        self.expected_tensors().iter().map(|(_, shape)| shape.iter().product::<usize>()).sum()
    }
}

/// Whether `name` is a buffer that files of some formats carry and that holds no parameter: transformers' `position_ids`,
/// and what OpenAI's archives keep of the config.
pub fn is_ignored_buffer(name: &str) -> bool {
    matches!(
        name,
        "text_model.embeddings.position_ids"
            | "vision_model.embeddings.position_ids"
            | "input_resolution"
            | "context_length"
            | "vocab_size"
            | "attn_mask"
    )
}

fn layer_norm(tensors: &mut Vec<(String, Vec<usize>)>, prefix: &str, width: usize) {
    tensors.push((format!("{prefix}.weight"), vec![width]));
    tensors.push((format!("{prefix}.bias"), vec![width]));
}

fn blocks(tensors: &mut Vec<(String, Vec<usize>)>, tower: &str, layers: usize, width: usize, mlp_width: usize) {
    for layer in 0..layers {
        let block = format!("{tower}transformer.resblocks.{layer}");
        layer_norm(tensors, &format!("{block}.ln_1"), width);
        tensors.push((format!("{block}.attn.in_proj_weight"), vec![3 * width, width]));
        tensors.push((format!("{block}.attn.in_proj_bias"), vec![3 * width]));
        tensors.push((format!("{block}.attn.out_proj.weight"), vec![width, width]));
        tensors.push((format!("{block}.attn.out_proj.bias"), vec![width]));
        layer_norm(tensors, &format!("{block}.ln_2"), width);
        tensors.push((format!("{block}.mlp.c_fc.weight"), vec![mlp_width, width]));
        tensors.push((format!("{block}.mlp.c_fc.bias"), vec![mlp_width]));
        tensors.push((format!("{block}.mlp.c_proj.weight"), vec![width, mlp_width]));
        tensors.push((format!("{block}.mlp.c_proj.bias"), vec![width]));
    }
}
