// A model.safetensors.index.json of any bytes, beside one sound shard.
#include <vector>

#include <attnlab/models/model_folder.hpp>

#include "input_file.hpp"

namespace {

input_folder const& folder() {
    static input_folder const made;
    static bool const filled = [] {
        std::vector<float> const values{1, 2};
        attnlab::safetensors_writer out;
        out.add("a", {1}, std::span(values).first(1));
        out.add("b", {2}, values);
        out.write(made.path() / "model-00001-of-00001.safetensors");
        return true;
    }();
    static_cast<void>(filled);
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    folder().write("model.safetensors.index.json", data, size);
    try {
        attnlab::model_folder const m(folder().path());
        for (auto const& name : m.names()) m.tensor(name).release();
    } catch (attnlab::error const&) {
    }
    return 0;
}
