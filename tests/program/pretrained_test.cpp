// forward, perplexity and train --init_from on Hugging Face folders, as a user meets them.
#include <cmath>
#include <fstream>

#include <boost/test/unit_test.hpp>

#include <attnlab/data/token_file.hpp>
#include <attnlab/io/json.hpp>
#include <attnlab/io/npy.hpp>
#include <attnlab/io/safetensors.hpp>

#include "fixtures.hpp"
#include "support.hpp"

using namespace attnlab;
using namespace attnlab::test;

BOOST_AUTO_TEST_SUITE(pretrained)

namespace {
std::string const llama = (fixtures() / "llm" / "llama2").string(), gpt2 = (fixtures() / "llm" / "gpt2").string();

double loss_in(std::string const& text) {
    auto const at = text.find("loss ");
    return at == text.npos ? std::nan("") : std::stod(text.substr(at + 5));
}
}  // namespace

BOOST_AUTO_TEST_CASE(forward_writes_logits_and_sites_as_asked) {
    temporary_folder folder;
    auto const out = (folder.path / "out.safetensors").string();
    auto const r = attnlab_run("forward " + llama + "/model --tokens " + llama + "/tokens.npy --dump " + out +
                               " --sites layers.1.down_out,hidden_states.0,blocks.0.attn.hook_q,attn_probs");
    BOOST_TEST_REQUIRE(r.status == 0, r.text);
    safetensors_reader const found(out);
    npy_array const logits(llama + "/logits.npy");
    auto const expected = logits.as<double>();
    auto const& t = found.at("logits");
    BOOST_TEST(t.shape == logits.shape, boost::test_tools::per_element());
    std::vector<double> values(expected.size());
    t.read(values.data(), 0, t.size());
    for (std::size_t i = 0; i < values.size(); ++i)
        if (std::abs(values[i] - expected[i]) > 2e-4 + 2e-4 * std::abs(expected[i])) BOOST_FAIL("logit " << i << " is " << values[i] << ", expected " << expected[i]);
    for (auto const* name : {"layers.1.down_out", "hidden_states.0", "blocks.0.attn.hook_q", "layers.0.attn_probs", "layers.2.attn_probs"}) BOOST_TEST(found.contains(name), name);
    BOOST_TEST(found.tensors().size() == 7u);   // logits, three sites, a pattern of each of three layers
}

BOOST_AUTO_TEST_CASE(forward_names_what_is_wrong_in_one_line) {
    auto const expect = [](std::string const& arguments, int status, std::string const& words) {
        auto const r = attnlab_run("forward " + arguments);
        BOOST_TEST(r.status == status, r.text);
        BOOST_TEST(r.text.find(words) != std::string::npos, "expected '" << words << "' in: " << r.text);
        BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, r.text);
    };
    std::string const tokens = " --tokens " + llama + "/tokens.npy --dump /tmp/attnlab-never.safetensors ";
    expect(llama + "/model" + tokens + "--sites layers.0.down_uot", 2, "down_out");
    expect(llama + "/model" + tokens + "--sites layers.9.down_out", 2, "0 to 2");
    expect(llama + "/model" + tokens + "--sites router_logits", 2, "has none");
    expect(llama + "/model --tokens " + llama + "/tokens.npy", 2, "--dump");
    expect("/nowhere" + tokens, 1, "/nowhere");
    expect(llama + "/model --dump /tmp/attnlab-never.safetensors", 2, "tokeniser");
    BOOST_TEST(!std::filesystem::exists("/tmp/attnlab-never.safetensors"));
}

BOOST_AUTO_TEST_CASE(perplexity_of_windows_is_that_recorded) {
    auto const record = parse_json(llama + "/analysis.json")["perplexity"];
    auto const r = attnlab_run("perplexity " + llama + "/model --tokens " + llama + "/stream.npy --length " + std::to_string(record["T"].get<int>()) + " --sequences " +
                               std::to_string(record["windows"].get<int>()) + " --json --quiet");
    BOOST_TEST_REQUIRE(r.status == 0, r.text);
    auto const found = parse_json_text(r.text, "output");
    BOOST_TEST(found["perplexity"].get<double>() == record["perplexity"].get<double>(), boost::test_tools::tolerance(2e-4));
}

BOOST_AUTO_TEST_CASE(massive_activations_set_to_zero_cost_and_to_their_mean_do_not) {
    auto const planted = (fixtures() / "planted" / "llama").string();
    auto const under = [&](std::string const& what) {
        auto const r = attnlab_run("perplexity " + planted + "/model --tokens " + planted + "/windows.npy --json --quiet --intervene " + what);
        BOOST_TEST_REQUIRE(r.status == 0, r.text);
        return parse_json_text(r.text, "output");
    };
    auto const mean = under("mean"), zero = under("zero");
    BOOST_TEST(mean["intervention"]["layer"].get<int>() == 2);
    BOOST_TEST(mean["intervention"]["perplexity"].get<double>() < 1.2 * mean["perplexity"].get<double>());
    BOOST_TEST(zero["intervention"]["perplexity"].get<double>() > 3 * zero["perplexity"].get<double>());
    auto const none = attnlab_run("perplexity " + llama + "/model --tokens " + llama + "/tokens.npy --quiet --intervene zero");
    BOOST_TEST(none.status == 1);
    BOOST_TEST(none.text.find("no massive activations") != std::string::npos, none.text);
}

BOOST_AUTO_TEST_CASE(a_pretrained_gpt2_is_trained_on_under_another_attention) {
    temporary_folder folder;
    std::vector<token> tokens;
    for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<token>((i * i + 7 * i) % 200));
    save_bin(folder.path / "train.bin", tokens), save_bin(folder.path / "val.bin", tokens);
    auto const train = [&](std::string const& policy, std::string const& more) {
        return attnlab_run("train --init_from " + gpt2 + "/model --policy " + policy + " --task tokens --data_dir " + folder.path.string() + " --out_dir " +
                           (folder.path / policy).string() + " --block_size 32 --batch_size 2 --eval_interval 3 --max_iters 3 " + more);
    };
    auto const r = train("attention_bias", "--eval_sequences 8");
    BOOST_TEST_REQUIRE(r.status == 0, r.text);
    BOOST_TEST(r.text.find("k_bias") != std::string::npos, r.text);   // said to start anew
    safetensors_reader const before(gpt2 + "/model/model.safetensors"), after((folder.path / "attention_bias" / "ckpt.safetensors").string());
    BOOST_TEST(after.at("transformer.wpe.weight").shape.front() == 32);
    BOOST_TEST(after.contains("transformer.h.1.attn.k_bias"));
    // A step or three move a weight a little: the token table is still that of the folder.
    std::vector<double> old(static_cast<std::size_t>(before.at("transformer.wte.weight").size())), now(old.size());
    before.at("transformer.wte.weight").read(old.data(), 0, before.at("transformer.wte.weight").size());
    after.at("transformer.wte.weight").read(now.data(), 0, after.at("transformer.wte.weight").size());
    double moved = 0;
    for (std::size_t i = 0; i < old.size(); ++i) moved = std::max(moved, std::abs(now[i] - old[i]));
    BOOST_TEST(moved > 0);
    BOOST_TEST(moved < 0.05);

    auto const wrong = train("softmax", "--n_layer 5");
    BOOST_TEST(wrong.status == 2);
    BOOST_TEST(wrong.text.find("--n_layer: 5: expected 2") != std::string::npos, wrong.text);
    // Under its own attention, before a step, its loss is the folder's.
    auto const own = train("softmax", "--eval_only true --progress none --eval_sequences 4");
    BOOST_TEST_REQUIRE(own.status == 0, own.text);
    BOOST_TEST(std::isfinite(loss_in(own.text)), own.text);
}

BOOST_AUTO_TEST_CASE(every_family_is_trained_on_under_the_six_attentions) {
    temporary_folder folder;
    std::vector<token> tokens;
    for (int i = 0; i < 4000; ++i) tokens.push_back(static_cast<token>((i * i + 7 * i) % 200));
    save_bin(folder.path / "train.bin", tokens), save_bin(folder.path / "val.bin", tokens);
    std::string const sizes = " --task tokens --data_dir " + folder.path.string() + " --block_size 16 --batch_size 2 --eval_sequences 4 --eval_interval 2 --max_iters ";
    auto const train = [&](std::string const& family, std::string const& policy, std::string const& out, std::string const& more) {
        return attnlab_run("train --init_from " + (fixtures() / "llm" / family / "model").string() + " --policy " + policy + " --out_dir " + (folder.path / out).string() + sizes + more);
    };
    for (auto const* policy : {"softmax", "value_bias", "context_bias", "attention_bias", "context_scale", "sigmoid"}) {
        auto const r = train("llama2", policy, policy, "2 --progress none");
        BOOST_TEST_REQUIRE(r.status == 0, r.text);
    }
    for (auto const* family : {"mistral", "qwen3", "gemma2", "pythia", "phi2", "opt", "falcon_7b", "mpt", "llama3"}) {
        auto const r = train(family, "attention_bias", family, "2 --measure false");
        BOOST_TEST_REQUIRE(r.status == 0, family << ": " << r.text);
        BOOST_TEST(r.text.find("k_bias") != std::string::npos, r.text);   // said to start anew
    }
    // A run knows its family: commands open it, wherever the folder is.
    auto const run = (folder.path / "attention_bias").string();
    for (auto const& command : {"evaluate " + run + " --quiet", "generate " + run + " --max_new_tokens 3", "inspect " + run,
                                "forward " + run + " --tokens " + llama + "/tokens.npy --dump " + (folder.path / "out.safetensors").string() + " --sites gate_out,attn_probs"}) {
        auto const r = attnlab_run(command);
        BOOST_TEST(r.status == 0, command << ": " << r.text);
    }
    // Before a step, under its own attention, it is the folder's model.
    auto const dump = [&](std::string const& model, std::string const& name) {
        auto const out = (folder.path / name).string();
        auto const r = attnlab_run("forward " + model + " --tokens " + llama + "/tokens.npy --dump " + out);
        BOOST_TEST_REQUIRE(r.status == 0, r.text);
        std::vector<float> values(static_cast<std::size_t>(safetensors_reader(out).at("logits").size()));
        safetensors_reader(out).at("logits").read(values.data(), 0, static_cast<index_t>(values.size()));
        return values;
    };
    BOOST_TEST_REQUIRE(train("llama2", "softmax", "still", "2 --learning_rate 0 --min_lr 0 --measure false").status == 0);
    auto const now = dump((folder.path / "still").string(), "now.safetensors"), before = dump(llama + "/model", "before.safetensors");
    for (std::size_t i = 0; i < now.size(); ++i)
        if (std::abs(now[i] - before[i]) > 1e-5) BOOST_FAIL("logit " << i << " is " << now[i] << ", expected " << before[i]);
    auto const converted = (folder.path / "converted").string();
    auto const convert = attnlab_run("convert " + (folder.path / "still").string() + " " + converted);
    BOOST_TEST_REQUIRE(convert.status == 0, convert.text);
    auto const again = dump(converted, "again.safetensors");
    BOOST_TEST(again == before, boost::test_tools::per_element());
    BOOST_TEST(attnlab_run("convert " + run + " " + (folder.path / "never").string()).text.find("expected softmax") != std::string::npos);
    // Two and two steps are four, and do not need the folder; under another attention it goes on from the run.
    BOOST_TEST_REQUIRE(train("llama2", "attention_bias", "whole", "4 --measure false --lr_decay_iters 4 --warmup_iters 1").status == 0);
    BOOST_TEST_REQUIRE(train("llama2", "attention_bias", "part", "2 --measure false --lr_decay_iters 4 --warmup_iters 1").status == 0);
    auto const on = attnlab_run("train --policy attention_bias --resume true --out_dir " + (folder.path / "part").string() + sizes + "4 --measure false --lr_decay_iters 4 --warmup_iters 1");
    BOOST_TEST_REQUIRE(on.status == 0, on.text);
    safetensors_reader const whole((folder.path / "whole" / "ckpt.safetensors").string()), part((folder.path / "part" / "ckpt.safetensors").string());
    for (auto const& t : whole.tensors()) BOOST_TEST(std::equal(t.bytes.begin(), t.bytes.end(), part.at(t.name).bytes.begin(), part.at(t.name).bytes.end()), t.name);
    auto const other = attnlab_run("train --init_from " + run + " --policy context_scale --out_dir " + (folder.path / "other").string() + sizes + "1 --measure false");
    BOOST_TEST_REQUIRE(other.status == 0, other.text);
    BOOST_TEST(other.text.find("left behind, since this model does not have them: model.layers.0.self_attn.k_bias") != std::string::npos, other.text);

    auto const refused = [&](std::string const& family, std::string const& policy, std::string const& more, int status, std::string const& words) {
        auto const r = train(family, policy, "never", "1 " + more);
        BOOST_TEST(r.status == status, r.text);
        BOOST_TEST(r.text.find(words) != std::string::npos, "expected '" << words << "' in: " << r.text);
        BOOST_TEST(std::count(r.text.begin(), r.text.end(), '\n') == 1, r.text);
    };
    refused("llama2", "softpick", "", 2, "expected one of softmax, value_bias");
    refused("mixtral", "softmax", "", 1, "mixture of experts");
    refused("llama3", "softmax", "--n_kv_head 4", 2, "--n_kv_head: 4: expected 2");
    refused("llama2", "softmax", "--bias true", 2, "--bias");
    auto const longer = attnlab_run("train --init_from " + (fixtures() / "llm" / "opt" / "model").string() + " --task tokens --data_dir " + folder.path.string() + " --block_size 4096");
    BOOST_TEST((longer.status == 2 && longer.text.find("--block_size: 4096: expected at most 64") != std::string::npos), longer.text);
    BOOST_TEST(!std::filesystem::exists(folder.path / "never"));
}

BOOST_AUTO_TEST_SUITE_END()
