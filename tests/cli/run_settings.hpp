#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <attnlab/cli/options.hpp>

/// Settings of every type an option may have, and their table.
struct run_settings {
    int batch_size = 12;
    std::uint64_t seed = 1337;
    double learning_rate = 6e-4, beta1 = 0.9;
    bool eval_only = false, decay_lr = true;
    std::string optim_name = "adam", data_dir;
    std::filesystem::path out_dir = "out";
    std::vector<std::string> policies{"softmax"};

    attnlab::option_table table() {
        attnlab::option_table t("attnlab train", "Trains a model.");
        t.group("Optimizer")
            .add("batch_size", batch_size, "sequences of a micro-batch", attnlab::at_least{1})
            .add("learning_rate", learning_rate, "highest rate", attnlab::at_least{0})
            .add("beta1", beta1, "decay of the first moment", attnlab::between{0, 1})
            .add("optim_name", optim_name, "which optimizer", attnlab::one_of{{"adam", "gdm"}})
            .add("decay_lr", decay_lr, "lower the rate over time");
        t.group("Run")
            .add("seed", seed, "of weights and batches")
            .add("eval_only", eval_only, "evaluate once and stop")
            .add("data_dir", data_dir, "where the data lie")
            .add("out_dir", out_dir, "where results go")
            .add("policies", policies, "attentions to train", attnlab::one_of{{"softmax", "sigmoid"}});
        return t;
    }
};
