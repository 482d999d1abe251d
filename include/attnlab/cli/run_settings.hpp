#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/cli/devices.hpp>
#include <attnlab/cli/options.hpp>
#include <attnlab/models/config.hpp>
#include <attnlab/train/trainer.hpp>

/// \file
/// Everything that makes up one training run, in nanoGPT's names, and the presets that fill it.

namespace attnlab {

/// One run: which policy, on what, how long, where to.
struct run_settings {
    std::string preset = "default", policy = "softmax";
    gpt_config model;
    std::string gelu = "exact", dtype = "float32", device = "cpu", length = "sequence";
    double dropout = 0;
    train_settings train;
    std::vector<std::string> rate_factors;     ///< "k_bias:10"

    std::string task = "backcopy";             ///< backcopy, text or tokens
    std::filesystem::path text, data_dir;
    std::filesystem::path tokenizer;           ///< of a text, in place of `level`
    std::string level = "bytes";
    bool skip_first = false;                   ///< the model sees sequences from their second token on
    index_t triggers = 3;
    std::uint64_t matrix_seed = 1;

    std::uint64_t seed = 1;
    std::filesystem::path out_dir = "out";
    std::filesystem::path init_from;           ///< a model to start from
    std::string family;                        ///< the config.json of a decoder that is not attnlab's own GPT; empty: it is
    bool resume = false, measure = true;
    std::filesystem::path resume_from;         ///< the checkpoint, where it resumes
    double bucket_mb = 25;                     ///< MiB of gradients that several ranks sum at a time
    index_t eval_sequences = 128;
    double outlier_factor = 20;
    std::int64_t observe_interval = 0;         ///< steps; 0: not observed while it trains
    index_t observe_sequences = 8;
    std::vector<std::string> observe_format = {"csv"};
    std::string progress = "line";
    bool quiet = false;
};

/// Fills in a preset. \throws usage_error for an unknown name
inline run_settings preset(std::string const& name) {
    run_settings s;
    s.preset = name;
    s.train.eval_iters = 0;   // evaluations are the measurements
    auto& t = s.train;
    // The default task, T1 of its design: six attentions of equal skill, three of which grow sinks, in seconds.
    s.model = {.n_layer = 3, .n_head = 4, .n_embd = 64, .block_size = 32, .vocab_size = 64, .bias = true, .init_std = 0.07};
    t.batch_size = 16, t.block_size = 32, t.gradient_accumulation_steps = 1;
    t.max_iters = t.schedule.lr_decay_iters = 1500;
    t.eval_interval = 50, t.log_interval = 10;
    s.observe_interval = 25;
    t.schedule.learning_rate = 1e-2, t.schedule.min_lr = 1e-3, t.schedule.warmup_iters = 50, t.schedule.warmup_from_zero = false;
    t.optimizer.weight_decay = 0, t.optimizer.beta2 = 0.99;
    if (name == "default") return s;
    if (name == "smoke") {   // untied head and N(0, 1) embeddings: the fastest contrast, one layer
        s.model.n_layer = 1, s.model.tied = false, s.model.embedding_std = 1;
        t.max_iters = t.schedule.lr_decay_iters = 400;
        return s;
    }
    if (name == "long") {   // a constant rate: the stream entering layer 0 grows a kurtosis of tens, for softmax alone
        t.max_iters = t.schedule.lr_decay_iters = 4000;
        t.schedule.min_lr = t.schedule.learning_rate;
        t.eval_interval = 100;
        return s;
    }
    if (name == "text") {
        s.task = "text";
        s.observe_interval = 0;
        s.model = {.n_layer = 4, .n_head = 4, .n_embd = 128, .block_size = 64, .vocab_size = 257, .bias = true, .init_std = 0.05};
        t.block_size = 64;
        t.max_iters = t.schedule.lr_decay_iters = 2000;
        t.schedule.learning_rate = 4e-3, t.schedule.min_lr = 4e-4, t.schedule.warmup_iters = 100;
        t.optimizer.weight_decay = 0.1;
        t.eval_interval = 100;
        s.eval_sequences = 64;
        return s;
    }
    if (name == "paper") {   // the reference's code: 24.6 B tokens, where its paper speaks of 2 B
        s.task = "tokens";
        s.data_dir = "data/openwebtext";
        s.model = {};
        s.train = {};
        s.observe_interval = 0;
        t.max_iters = 50000;
        t.eval_iters = 200;
        s.eval_sequences = 24;
        return s;
    }
    fail<usage_error>("--preset: '", name, "': expected one of smoke, default, long, text, paper");
}

/// Declares what tells one run of an experiment from another.
inline void declare_run(option_table& o, run_settings& s) {
    o.group("Run");
    o.add("policy", s.policy, "the attention; `policies` lists them");
    o.add("seed", s.seed, "of weights and training data");
    o.add("out_dir", s.out_dir, "folder of the run");
    o.add("init_from", s.init_from, "weights to start from: a Hugging Face folder, or an own run; what the attention adds starts anew");
    o.add("resume", s.resume, "go on with the run in out_dir: what is not given stays as it was");
    o.add("measure", s.measure, "measure sinks and outliers at each evaluation");
    o.add("bucket_mb", s.bucket_mb, "under mpirun: MiB of gradients that are summed at a time, while the backward goes on", at_least{0.001});
    o.add("progress", s.progress, "how progress is shown", one_of{{"line", "lines", "none"}});
    declare_quiet(o, s.quiet);
}

/// Declares what all runs of an experiment share. Present values are the defaults.
inline void declare_experiment(option_table& o, run_settings& s) {
    auto& m = s.model;
    auto& t = s.train;
    o.group("Preset");
    o.add("preset", s.preset, "fills in all that is not given; the defaults below are default's. smoke: one layer, seconds; default: Bigram-Backcopy, three layers of 64, 1500 steps; long: 4000 steps at a constant rate; "
          "text: four layers of 128 on characters or tokens of --text; paper: GPT-2 124M on data/openwebtext", one_of{{"smoke", "default", "long", "text", "paper"}});
    o.group("Measurement");
    o.add("eval_sequences", s.eval_sequences, "evaluation sequences of a measurement", at_least{1});
    o.add("outlier_factor", s.outlier_factor, "factor of the third count of outliers, beside 1000 and 50 times the mean", at_least{1});

    o.add("observe_interval", s.observe_interval, "steps between two looks at fixed sequences, streamed to out_dir/observations.*; 0: none", at_least{0});
    o.add("observe_sequences", s.observe_sequences, "evaluation sequences of a look", at_least{1});
    o.add("observe_format", s.observe_format, "of these files", one_of{{"csv", "jsonl"}});

    o.group("Data");
    o.add("task", s.task, "backcopy (made up), text (--text FILE), tokens (--data_dir with train.bin and val.bin)",
          one_of{{"backcopy", "text", "tokens"}});
    o.add("text", s.text, "a plain text; its last 10 % are held out; means --task text");
    o.add("level", s.level, "a token of a text is", one_of{{"bytes", "characters"}});
    o.add("tokenizer", s.tokenizer, "a model's folder, or a file, whose tokeniser cuts the text instead");
    o.add("data_dir", s.data_dir, "folder with nanoGPT's train.bin and val.bin (uint16); means --task tokens");
    o.add("skip_first", s.skip_first, "the model sees sequences from their second token on, as `convert` makes it");
    o.add("triggers", s.triggers, "backcopy: trigger tokens", at_least{1});
    o.add("matrix_seed", s.matrix_seed, "backcopy: draws the transition matrix");

    o.group("Model");
    o.add("n_layer", m.n_layer, "blocks", at_least{1});
    o.add("n_head", m.n_head, "heads", at_least{1});
    o.add("n_kv_head", m.n_kv_head, "heads of keys and values, a divisor of n_head; 0: as n_head", at_least{0});
    o.add("separator", m.separator, "the token that begins a document, for policies that mask by document; -1: none", at_least{-1});
    o.add("n_embd", m.n_embd, "width", at_least{1});
    o.add("block_size", m.block_size, "tokens of a sequence", at_least{1});
    o.add("vocab_size", m.vocab_size, "tokens there are; a text brings its own, and more are padding: 50304 for 50257 on a GPU", at_least{2});
    o.add("bias", m.bias, "biases in LayerNorm and Linear");
    o.add("tied", m.tied, "the head is the token table");
    o.add("dropout", s.dropout, "only 0 is supported", between{0, 0});
    o.add("init_std", m.init_std, "deviation of first weights (projections: / sqrt(2 n_layer))", at_least{0});
    o.add("embedding_std", m.embedding_std, "deviation of first embeddings; 0: as init_std", at_least{0});
    o.add("layer_norm_eps", m.layer_norm_eps, "added to the variance in LayerNorms");
    o.add("gelu", s.gelu, "form of GELU", one_of{{"exact", "tanh"}});
    o.add("dtype", s.dtype, "what Linears and the head multiply (tfloat32: on a GPU); sums and what is learned stay float32",
          one_of{{"float32", "tfloat32", "bfloat16"}});
    declare_device(o, s.device);
    o.add("recompute", m.recompute, "keep one block's activations, compute the others again");
    o.add("length", s.length, "the T in a formula (sigmoid's -ln T)", one_of{{"sequence", "trained", "visible"}});

    o.group("Training");
    o.add("batch_size", t.batch_size, "sequences of a micro-batch", at_least{1});
    o.add("gradient_accumulation_steps", t.gradient_accumulation_steps, "micro-batches of a step, of all ranks together", at_least{1});
    o.add("max_iters", t.max_iters, "steps", at_least{0});
    o.add("learning_rate", t.schedule.learning_rate, "highest rate", at_least{0});
    o.add("min_lr", t.schedule.min_lr, "rate from lr_decay_iters on", at_least{0});
    o.add("warmup_iters", t.schedule.warmup_iters, "steps of linear warm-up", at_least{0});
    o.add("warmup_from_zero", t.schedule.warmup_from_zero, "first rate 0 (nanoGPT), or one step's share");
    o.add("lr_decay_iters", t.schedule.lr_decay_iters, "end of the cosine", at_least{0});
    o.add("decay_lr", t.schedule.decay_lr, "false: learning_rate throughout");
    o.add("optim_name", t.optimizer.optim_name, "adam (AdamW) or gdm (SGD with momentum beta1)", one_of{{"adam", "gdm"}});
    o.add("weight_decay", t.optimizer.weight_decay, "on parameters of two and more dimensions", at_least{0});
    o.add("beta1", t.optimizer.beta1, "AdamW; momentum of gdm", between{0, 1});
    o.add("beta2", t.optimizer.beta2, "AdamW", between{0, 1});
    o.add("grad_clip", t.grad_clip, "largest gradient norm; 0: no clipping", at_least{0});
    o.add("rate_factors", s.rate_factors, "factors on the rate of parameters, as k_bias:10,v_bias:10");
    o.add("eval_interval", t.eval_interval, "steps between evaluations, each with a checkpoint", at_least{1});
    o.add("eval_iters", t.eval_iters, "batches for nanoGPT's estimate of both losses; 0: none", at_least{0});
    o.add("eval_only", t.eval_only, "one evaluation, no step");
    o.add("always_save_checkpoint", t.always_save_checkpoint, "not only when the validation loss is the best so far");
    o.add("log_interval", t.log_interval, "steps between two looks at the training loss", at_least{1});
}

inline void declare(option_table& o, run_settings& s) {
    declare_run(o, s);
    declare_experiment(o, s);
}

/// The task that named data mean. \param o  read over a preset
inline void take_task(run_settings& s, option_table const& o) {
    if (o.given("task")) return;
    if (o.changed("text")) s.task = "text";
    else if (o.changed("data_dir")) s.task = "tokens";
}

/// Data that are named are those that are trained on. \throws usage_error for an option that the task does not read
inline void check_data_options(run_settings const& s, option_table const& o) {
    static constexpr std::pair<char const*, char const*> readers[] = {{"text", "text"}, {"level", "text"}, {"tokenizer", "text"}, {"data_dir", "tokens"},
                                                                      {"triggers", "backcopy"}, {"matrix_seed", "backcopy"}};
    for (auto const& [name, task] : readers)
        if (o.changed(name) && s.task != task) {
            auto const* by = o.given("task") ? "--task" : o.changed("text") ? "--text" : o.changed("data_dir") ? "--data_dir" : s.init_from.empty() ? "--preset" : "--init_from";
            fail<usage_error>("--", name, ": '", to_text(o.find(name)->get()), "': is for --task ", task, "; this run's task is ", s.task, ", by ", by);
        }
}

/// Draws the consequences: fields that depend on others. \throws usage_error
inline void settle(run_settings& s) {
    s.model.gelu = s.gelu == "tanh" ? gelu_form::tanh : gelu_form::exact;
    s.model.products = precision_named(s.dtype);
    s.model.length = s.length == "trained" ? length_rule::trained : s.length == "visible" ? length_rule::visible : length_rule::sequence;
    s.train.block_size = s.model.block_size;
    s.train.checkpoint = s.out_dir / "ckpt.safetensors";
    s.train.optimizer.rate_factors.clear();
    for (auto const& word : s.rate_factors) {
        auto const colon = word.find(':');
        auto const factor = colon == word.npos ? std::nullopt : option_type<double>::read(std::string_view(word).substr(colon + 1));
        if (!factor || *factor < 0) fail<usage_error>("--rate_factors: '", word, "': expected name:factor, as k_bias:10");
        s.train.optimizer.rate_factors.push_back({word.substr(0, colon), *factor});
    }
    if (s.task == "text" && s.text.empty()) fail<usage_error>("--text: expected the path of a text (or another --task)");
    if (s.task == "tokens" && s.data_dir.empty()) fail<usage_error>("--data_dir: expected a folder with train.bin and val.bin");
    if (s.train.eval_only && !s.measure && s.train.eval_iters == 0)
        fail<usage_error>("--eval_only: nothing is evaluated: expected --measure true, or --eval_iters N");
    if (s.family.empty()) s.model.check();
    validate(s.train);
}

}  // namespace attnlab
