// A config.json of any bytes: an error, or a description of a model. Beside it lie weights of one tensor.
#include <vector>

#include <attnlab/models/families/families.hpp>

#include "input_file.hpp"

namespace {

attnlab::model_folder const& weights() {
    static input_folder const made;
    static attnlab::model_folder const opened = [] {
        std::vector<float> const values{1};
        attnlab::safetensors_writer out;
        out.add("wte.weight", {1}, values);
        out.write(made.path() / "model.safetensors");
        return attnlab::model_folder(made.path());
    }();
    return opened;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input_file const input(data, size);
    try {
        auto const d = describe_decoder(attnlab::config_file(input.path()), weights());
        if (d.width < 1 || d.heads < 1 || d.kv_heads < 1 || d.heads % d.kv_heads != 0) std::abort();
    } catch (attnlab::error const&) {
    }
    return 0;
}
