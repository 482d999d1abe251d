#include <boost/test/unit_test.hpp>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include <attnlab/io/file.hpp>
#include <attnlab/io/safetensors.hpp>
#include <attnlab/train/checkpoint.hpp>
#include <attnlab/models/gpt_checkpoint.hpp>

#include "bigram.hpp"
#include "io/folder.hpp"

using namespace attnlab;

BOOST_AUTO_TEST_SUITE(checkpoint)

namespace {

/// A model with an optimizer that has taken three steps.
template <class T = float>
struct trained {
    bigram<T> model;
    optimizer<T> opt;
    explicit trained(optimizer_settings s = {}) : opt(model.parameters(), s) {
        for (int step = 0; step < 3; ++step) {
            for (auto const& p : model.parameters())
                for (std::size_t i = 0; i < p->gradient.size(); ++i)
                    p->gradient[i] = static_cast<T>(0.1 * static_cast<double>(i) - step);
            opt.step(0.01);
        }
    }
    std::vector<std::vector<T>> everything() {
        std::vector<std::vector<T>> out{values(model.parameters())};
        for (auto const& a : opt.state()) out.emplace_back(a.values.begin(), a.values.end());
        return out;
    }
};

training_state const somewhere{R"({"n_layer": 3})", 123, 456789, 1.2345678901234567, "0.0.7"};

}  // namespace

BOOST_AUTO_TEST_CASE_TEMPLATE(every_bit_comes_back, T, decltype(std::tuple<float, double>{})) {
    folder f;
    for (std::string kind : {"adam", "gdm"}) {
        trained<T> from({.optim_name = kind});
        save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, somewhere);
        bigram<T> model(99);
        optimizer<T> opt(model.parameters(), {.optim_name = kind});
        auto const state = load_checkpoint(f / "a.safetensors", model.parameters(), opt);
        BOOST_TEST((values(model.parameters()) == from.everything()[0]));
        for (std::size_t i = 0; i < opt.state().size(); ++i)
            BOOST_TEST((std::vector<T>(opt.state()[i].values.begin(), opt.state()[i].values.end()) == from.everything()[i + 1]));
        BOOST_TEST(opt.steps() == 3);
        BOOST_TEST(state.config == somewhere.config);
        BOOST_TEST(state.iteration == 123);
        BOOST_TEST(state.tokens_seen == 456789);
        BOOST_TEST(state.best_val_loss == somewhere.best_val_loss);
        BOOST_TEST(state.written_by == "0.0.7");
    }
}

BOOST_AUTO_TEST_CASE(the_first_best_loss_is_infinite_and_comes_back) {
    folder f;
    trained from;
    save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, {});
    BOOST_TEST(read_training_state(safetensors_reader(f / "a.safetensors")).best_val_loss ==
               std::numeric_limits<double>::infinity());
}

BOOST_AUTO_TEST_CASE(the_sizes_of_a_gpt_come_back) {
    folder f;
    trained from;
    gpt_config const c{.n_layer = 2, .n_head = 4, .n_embd = 24, .n_kv_head = 2, .block_size = 9, .vocab_size = 31, .bias = true, .tied = false,
                       .layer_norm_eps = 1e-6, .gelu = gelu_form::tanh, .products = precision::bfloat16, .separator = 3};
    auto const save = [&](std::string const& config) {
        save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, {.config = config});
        return safetensors_reader(f / "a.safetensors");
    };
    gpt_config const d = read_gpt_config(save(checkpoint_config(c, "mine")));
    BOOST_TEST((checkpoint_config(d, "mine") == checkpoint_config(c, "mine") && d.n_kv_head == 2 && d.products == precision::bfloat16 && !d.tied));
    BOOST_TEST(read_gpt_config(save("{}")).n_embd == gpt_config{}.n_embd);
    BOOST_TEST(names(error_of([&] { read_gpt_config(save(R"({"n_embd": "wide"})")); }), "a.safetensors: config: field 'n_embd': expected"));
    BOOST_TEST(names(error_of([&] { read_gpt_config(save(R"({"n_embd": 7})")); }), "n_embd: expected a multiple of n_head"));
}

BOOST_AUTO_TEST_CASE(weights_alone_convert_and_pass_over_the_optimizer) {
    folder f;
    trained<float> from;
    save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, somewhere);
    bigram<double> model(99);
    load_weights(safetensors_reader(f / "a.safetensors"), model.parameters());
    auto const expected = values(from.model.parameters());
    BOOST_TEST((values(model.parameters()) == std::vector<double>(expected.begin(), expected.end())));
}

BOOST_AUTO_TEST_CASE(a_failed_write_leaves_the_old_file) {
    folder f;
    trained from;
    auto const path = f / "a.safetensors";
    save_checkpoint(path, from.model.parameters(), from.opt, somewhere);
    auto const before = read_text(path);
    auto broken = somewhere;
    broken.config = "\xff";  // not UTF-8: the header cannot be written
    BOOST_TEST(names(error_of([&] { save_checkpoint(path, from.model.parameters(), from.opt, broken); }), "a.safetensors"));
    BOOST_TEST((read_text(path) == before));
    BOOST_TEST(f.count() == 1u);
    BOOST_TEST(names(error_of([&] { save_checkpoint(f / "no/a.safetensors", from.model.parameters(), from.opt, somewhere); }),
                     "no/a.safetensors"));
}

BOOST_AUTO_TEST_CASE(another_model_is_refused_and_left_alone) {
    folder f;
    trained from;
    save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, somewhere);

    bigram<float> wide(1, 8);
    optimizer<float> opt(wide.parameters(), {});
    auto const before = values(wide.parameters());
    auto const shapes = error_of([&] { load_checkpoint(f / "a.safetensors", wide.parameters(), opt); });
    BOOST_TEST(names(shapes, "a.safetensors: tensor 'table': shape (7, 7), expected the model's (7, 8)"));
    BOOST_TEST((values(wide.parameters()) == before));

    parameter_list<float> other;
    other.add("table", {7, 7}, zeros);
    for (int i = 0; i < 9; ++i) other.add("h." + std::to_string(i), {1}, zeros);
    other.allocate();
    auto const line = error_of([&] { load_weights(safetensors_reader(f / "a.safetensors"), other); });
    BOOST_TEST(names(line, "missing h.0, h.1", "h.5 and 3 more", "unexpected out.bias"));
    BOOST_TEST(line.find("optimizer") == line.npos);
}

BOOST_AUTO_TEST_CASE(a_run_is_taken_up_by_its_own_kind_only) {
    folder f;
    trained from;
    save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, somewhere);
    bigram<float> model;
    optimizer<float> gdm(model.parameters(), {.optim_name = "gdm"});
    BOOST_TEST(names(error_of([&] { load_checkpoint(f / "a.safetensors", model.parameters(), gdm); }), "field 'optimizer'",
                     "'adam'", "'gdm'"));
    bigram<double> wide;
    optimizer<double> opt(wide.parameters(), {});
    BOOST_TEST(names(error_of([&] { load_checkpoint(f / "a.safetensors", wide.parameters(), opt); }),
                     "type F32, expected the model's F64"));
}

BOOST_AUTO_TEST_CASE(a_file_that_is_no_checkpoint_says_so) {
    folder f;
    trained to;
    auto const line = [&](std::string const& key, std::string const& value) {
        safetensors_writer out;
        trained from;
        save_checkpoint(f / "a.safetensors", from.model.parameters(), from.opt, somewhere);
        safetensors_reader const good(f / "a.safetensors");
        std::vector<std::vector<float>> kept;
        for (auto const& t : good.tensors()) {
            kept.emplace_back(t.bytes.size() / sizeof(float));
            good.copy_to(t.name, std::span<float>(kept.back()));
            out.add(t.name, t.shape, std::span<float const>(kept.back()));
        }
        out.metadata = good.metadata();
        if (value.empty())
            out.metadata.erase(key);
        else
            out.metadata[key] = value;
        out.write(f / "b.safetensors");
        return error_of([&] { load_checkpoint(f / "b.safetensors", to.model.parameters(), to.opt); });
    };
    auto const before = to.everything();
    BOOST_TEST(names(line("iteration", ""), "b.safetensors: __metadata__: field 'iteration' is missing"));
    BOOST_TEST(names(line("iteration", "12x"), "field 'iteration': '12x': expected a whole number, not negative"));
    BOOST_TEST(names(line("tokens_seen", "-4"), "field 'tokens_seen': '-4'"));
    BOOST_TEST(names(line("best_val_loss", "low"), "field 'best_val_loss': 'low': expected a number"));
    BOOST_TEST(names(line("optimizer_steps", "1e9"), "field 'optimizer_steps'"));
    BOOST_TEST((to.everything() == before));
    BOOST_TEST(names(error_of([&] { load_checkpoint(f / "none", to.model.parameters(), to.opt); }), "none"));
}

BOOST_AUTO_TEST_SUITE_END()
