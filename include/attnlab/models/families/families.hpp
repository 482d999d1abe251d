#pragma once
#include <string>
#include <string_view>
#include <vector>

#include <attnlab/models/families/bloom.hpp>
#include <attnlab/models/families/cohere.hpp>
#include <attnlab/models/families/falcon.hpp>
#include <attnlab/models/families/gemma.hpp>
#include <attnlab/models/families/gpt2.hpp>
#include <attnlab/models/families/gpt_neox.hpp>
#include <attnlab/models/families/gpt_oss.hpp>
#include <attnlab/models/families/gptj.hpp>
#include <attnlab/models/families/granite.hpp>
#include <attnlab/models/families/llama.hpp>
#include <attnlab/models/families/mistral.hpp>
#include <attnlab/models/families/mpt.hpp>
#include <attnlab/models/families/olmo2.hpp>
#include <attnlab/models/families/opt.hpp>
#include <attnlab/models/families/phi.hpp>
#include <attnlab/models/families/phi3.hpp>
#include <attnlab/models/families/qwen.hpp>
#include <attnlab/models/families/smollm3.hpp>
#include <attnlab/models/families/stablelm.hpp>
#include <attnlab/models/families/starcoder2.hpp>

namespace attnlab {

/// A family of decoders: what its config.json calls itself, and how it is read.
struct decoder_family {
    std::string_view model_type;
    decoder_description (*describe)(config_file const&, model_folder const&);
};

inline constexpr decoder_family decoder_families[] = {{"llama", describe_llama},
                                                      {"mistral", describe_mistral},
                                                      {"mixtral", describe_mixtral},
                                                      {"qwen2", describe_qwen2},
                                                      {"qwen3", describe_qwen3},
                                                      {"qwen3_moe", describe_qwen3_moe},
                                                      {"gemma", describe_gemma},
                                                      {"gemma2", describe_gemma2},
                                                      {"gemma3_text", describe_gemma3},
                                                      {"gpt_oss", describe_gpt_oss},
                                                      {"olmo2", describe_olmo2},
                                                      {"olmo3", describe_olmo3},
                                                      {"smollm3", describe_smollm3},
                                                      {"granite", describe_granite},
                                                      {"phi3", describe_phi3},
                                                      {"phi", describe_phi},
                                                      {"stablelm", describe_stablelm},
                                                      {"starcoder2", describe_starcoder2},
                                                      {"cohere", describe_cohere},
                                                      {"gpt2", describe_gpt2},
                                                      {"gptj", describe_gptj},
                                                      {"gpt_neox", describe_gpt_neox},
                                                      {"opt", describe_opt},
                                                      {"falcon", describe_falcon},
                                                      {"bloom", describe_bloom},
                                                      {"mpt", describe_mpt}};

/// What a folder's config.json says, every field that changes results read. \throws error naming file and field: a family that is
/// not there, a field that is missing, wrong, or says what attnlab does not have
inline decoder_description describe_decoder(config_file const& c, model_folder const& f) {
    auto const type = c.family();
    std::vector<std::string> names;
    for (auto const& family : decoder_families) {
        if (family.model_type == type) {
            auto d = family.describe(c, f);
            c.check_all_read();
            return d;
        }
        names.emplace_back(family.model_type);
    }
    fail(c.where(), ": field 'model_type': '", type, "': expected one of ", joined(names));
}

}  // namespace attnlab
