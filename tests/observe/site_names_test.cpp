#include <map>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

#include <attnlab/observe/site_names.hpp>

BOOST_AUTO_TEST_SUITE(site_names)

using namespace attnlab;

namespace {

std::string full(std::string const& given, index_t layers = 4) { return find_site(given, layers).full_name(); }
std::string refusal(std::string const& given, index_t layers = 4) {
    try {
        return "found " + full(given, layers);
    } catch (usage_error const& e) {
        return e.what();
    }
}

}  // namespace

BOOST_AUTO_TEST_CASE(the_sites_of_a_gpt_are_exactly_these_in_this_order) {
    std::vector<std::string> const expected{
        "hook_embed (B T C)",
        "blocks.{layer}.hook_resid_pre (B T C)",
        "blocks.{layer}.ln1.hook_normalized (B T C)",
        "blocks.{layer}.attn.hook_q (B H T D)",
        "blocks.{layer}.attn.hook_k (B H T D)",
        "blocks.{layer}.attn.hook_v (B H T D)",
        "blocks.{layer}.attn.hook_attn_scores (B H T T)",
        "blocks.{layer}.attn.hook_pattern (B H T T)",
        "blocks.{layer}.attn.hook_slot (B H T)",
        "blocks.{layer}.attn.hook_gate (B H T)",
        "blocks.{layer}.attn.hook_pattern_sums (B H T)",
        "blocks.{layer}.attn.hook_pattern_entropy (B H T)",
        "blocks.{layer}.attn.hook_largest_score (B H T)",
        "blocks.{layer}.attn.hook_pattern_columns (B H K T)",
        "blocks.{layer}.attn.hook_z (B T C)",
        "blocks.{layer}.hook_attn_out (B T C)",
        "blocks.{layer}.hook_resid_mid (B T C)",
        "blocks.{layer}.ln2.hook_normalized (B T C)",
        "blocks.{layer}.mlp.hook_pre (B T F)",
        "blocks.{layer}.mlp.hook_post (B T F)",
        "blocks.{layer}.hook_mlp_out (B T C)",
        "blocks.{layer}.hook_resid_post (B T C)",
        "ln_final.hook_normalized (B T C)",
        "logits (B T V)",
    };
    std::vector<std::string> found;
    for (auto const& s : all_sites())
        if (s.when == shown::forward) found.push_back(s.full_name() + " (" + s.axes + ")");
    BOOST_TEST(found == expected, boost::test_tools::per_element());
}

BOOST_AUTO_TEST_CASE(the_keys_of_the_paper_are_aliases) {
    std::map<std::string, std::string> const keys{
        {"mha_rms_in", "hook_resid_pre"},   {"mha_rms_out", "ln1.hook_normalized"},
        {"query", "attn.hook_q"},           {"key", "attn.hook_k"},
        {"value", "attn.hook_v"},           {"attn_logits", "attn.hook_attn_scores"},
        {"attn_head_out", "attn.hook_z"},   {"attn_probs", "attn.hook_pattern"},
        {"mha_out", "hook_attn_out"},       {"rms_in", "hook_resid_mid"},
        {"rms_out", "ln2.hook_normalized"}, {"up_out", "mlp.hook_pre"},
        {"act_out", "mlp.hook_post"},       {"down_in", "mlp.hook_post"},
        {"down_out", "hook_mlp_out"},       {"layer_out", "hook_resid_post"},
    };
    for (auto const& [key, name] : keys) {
        BOOST_TEST(full("layers.2." + key) == "blocks.2." + name);
        BOOST_TEST(full("blocks.2." + name) == "blocks.2." + name);
        BOOST_TEST(full(key) == "blocks.{layer}." + name);
    }
    BOOST_TEST(full("layers.2.down_out.grad") == "blocks.2.hook_mlp_out.grad");
    BOOST_TEST(full("blocks.2.mlp.down_proj.v") == "blocks.2.mlp.c_proj.v");
}

BOOST_AUTO_TEST_CASE(hidden_states_are_counted_as_transformers_counts_them) {
    BOOST_TEST(full("hidden_states.0") == "blocks.0.hook_resid_pre");
    BOOST_TEST(full("hidden_states.3") == "blocks.3.hook_resid_pre");
    BOOST_TEST(full("hidden_states.4") == "ln_final.hook_normalized");
    BOOST_TEST(refusal("hidden_states.5") == "site 'hidden_states.5': expected a layer from 0 to 4 after 'hidden_states.'");
    BOOST_TEST(refusal("hidden_states.1.x") == "site 'hidden_states.1.x': expected nothing after the number");
}

BOOST_AUTO_TEST_CASE(no_name_means_two_sites_of_a_gpt) {
    std::map<std::string, int> count;
    for (auto const& s : all_sites()) {
        if (s.when == shown::never) continue;
        ++count[s.name];
        for (auto const& a : s.aliases)
            if (a != s.name) ++count[a];
    }
    for (auto const& [name, n] : count) BOOST_TEST_CONTEXT(name) BOOST_TEST(n == 1);
}

BOOST_AUTO_TEST_CASE(what_a_model_shows_decides) {
    std::vector<std::string> const gated{"mlp.hook_gate", "mlp.hook_act", "mlp.hook_post"};
    BOOST_TEST(find_site("layers.1.act_out", 4, &gated).full_name() == "blocks.1.mlp.hook_act");   // not what the down projection is given
    BOOST_TEST(find_site("layers.1.down_in", 4, &gated).full_name() == "blocks.1.mlp.hook_post");
    BOOST_TEST(find_site("layers.1.act_out", 4).full_name() == "blocks.1.mlp.hook_post");
    BOOST_CHECK_THROW(find_site("router_logits", 4, &gated), attnlab::usage_error);
}

BOOST_AUTO_TEST_CASE(a_wrong_name_is_one_line_with_what_is_near) {
    BOOST_TEST(refusal("blocks.1.hook_reisd_pre").find("unknown; nearest: hook_resid_pre") != std::string::npos);
    BOOST_TEST(refusal("pattern") == "site 'pattern': unknown; nearest: attn.hook_pattern; `attnlab sites` lists them all");
    BOOST_TEST(refusal("hook_patern").find("nearest: attn.hook_pattern") != std::string::npos);
    BOOST_TEST(refusal("layers.0.down_ot").find("down_out") != std::string::npos);
    BOOST_TEST(refusal("nothing of the sort") == "site 'nothing of the sort': unknown; `attnlab sites` lists them all");
    BOOST_TEST(refusal("").find("unknown") != std::string::npos);
    BOOST_TEST(refusal("blocks.4.hook_resid_pre") ==
               "site 'blocks.4.hook_resid_pre': expected a layer from 0 to 3 after 'blocks.'");
    for (std::string const layer : {"-1", "x", "", "1x", "99999999999999999999"})
        BOOST_TEST(refusal("blocks." + layer + ".hook_resid_pre").find("expected a layer from 0 to 3") != std::string::npos);
    BOOST_TEST(refusal("blocks.0.logits") == "site 'blocks.0.logits': stands outside the blocks: expected 'logits'");
    BOOST_TEST(refusal("blocks.0").find("unknown") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_other_families_have_is_known_and_not_there) {
    for (std::string const name :
         {"gate_out", "router_logits", "router_weights", "router_experts", "post_attn_norm_out", "post_mlp_norm_out"})
        BOOST_TEST(refusal("layers.1." + name).find("this model has none") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
