#include <boost/test/unit_test.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/io/json.hpp>
#include <attnlab/kernels/cpu/kernels.hpp>
#include <attnlab/models/pretrained.hpp>

using namespace attnlab;

// A model of 7B parameters in bfloat16, 13 GB, is looked at on a laptop. The file is sparse, its numbers are zeros: what they are costs
// the same memory and time.

BOOST_AUTO_TEST_SUITE(pretrained_memory_slow)

namespace {

struct folder {
    std::filesystem::path path;
    folder() {
        std::string name = (std::filesystem::temp_directory_path() / "attnlab-7b-XXXXXX").string();
        BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~folder() { std::filesystem::remove_all(path); }
};

/// A .safetensors of these tensors in bfloat16, none of whose values is written.
void write_sparse(std::filesystem::path const& path, std::vector<std::pair<std::string, std::vector<index_t>>> const& tensors) {
    json header = json::object();
    std::uint64_t at = 0;
    for (auto const& [name, shape] : tensors) {
        std::uint64_t bytes = 2;
        for (index_t n : shape) bytes *= static_cast<std::uint64_t>(n);
        header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
        at += bytes;
    }
    auto const text = header.dump();
    std::uint64_t const length = text.size();
    std::ofstream out(path, std::ios::binary);
    out.write(reinterpret_cast<char const*>(&length), 8);
    out << text;
    out.close();
    std::filesystem::resize_file(path, 8 + length + at);
}

/// Kilobytes of this process as /proc has them: "RssAnon", "RssFile".
std::uint64_t memory_of(std::string const& what) {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(what + ":")) return std::stoull(line.substr(what.size() + 1));
    return 0;
}

struct watcher final : any_observer {
    index_t seen = 0;
    std::uint64_t anonymous = 0, mapped = 0;
    bool asks(std::string_view site, index_t) const override { return site == site::resid_post::name || site == site::pattern_sums::name; }
    void see(seen_site const&) override {
        ++seen;
        anonymous = std::max(anonymous, memory_of("RssAnon"));
        mapped = std::max(mapped, memory_of("RssFile"));
    }
};

}  // namespace

BOOST_AUTO_TEST_CASE(seven_billion_parameters_in_little_memory) {
    folder const at;
    index_t const C = 4096, F = 11008, L = 32, V = 32000;
    write_json(at.path / "config.json", json{{"model_type", "llama"}, {"hidden_size", C}, {"intermediate_size", F}, {"num_hidden_layers", L},
                                             {"num_attention_heads", 32}, {"num_key_value_heads", 32}, {"vocab_size", V}, {"rms_norm_eps", 1e-5},
                                             {"max_position_embeddings", 4096}, {"hidden_act", "silu"}, {"rope_theta", 10000.0},
                                             {"tie_word_embeddings", false}, {"torch_dtype", "bfloat16"}});
    std::vector<std::pair<std::string, std::vector<index_t>>> tensors{{"model.embed_tokens.weight", {V, C}}, {"lm_head.weight", {V, C}}, {"model.norm.weight", {C}}};
    for (index_t l = 0; l < L; ++l) {
        auto const name = [&](char const* ending) { return text("model.layers.", l, '.', ending, ".weight"); };
        for (auto const* norm : {"input_layernorm", "post_attention_layernorm"}) tensors.push_back({name(norm), {C}});
        for (auto const* p : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"}) tensors.push_back({name(p), {C, C}});
        tensors.push_back({name("mlp.gate_proj"), {F, C}}), tensors.push_back({name("mlp.up_proj"), {F, C}}), tensors.push_back({name("mlp.down_proj"), {C, F}});
    }
    write_sparse(at.path / "model.safetensors", tensors);

    auto const model = open_pretrained(at.path);
    BOOST_TEST(model->facts().parameters > 6'700'000'000);
    tensor<std::int32_t, 2> ids({1, 128});
    for (index_t t = 0; t < 128; ++t) ids(0, t) = static_cast<std::int32_t>(t * 200);
    watcher o;
    auto const losses = model->next_token_losses(ids, o);
    BOOST_TEST(o.seen == 2 * L);
    BOOST_TEST(losses(0, 0) == std::log(static_cast<double>(V)), boost::test_tools::tolerance(1e-6));   // all logits are 0
    BOOST_TEST(o.anonymous < 6u << 20);          // kB: under 6 GB, as asked for; one layer's activations are a few MB
    BOOST_TEST(o.mapped < 2u << 20);             // no more than some layers of 400 MB lie mapped at a time
    BOOST_TEST_MESSAGE("RssAnon " << o.anonymous / 1024 << " MB, RssFile " << o.mapped / 1024 << " MB");
}

BOOST_AUTO_TEST_SUITE_END()
