// A .safetensors of any bytes: an error, or tensors that lie inside the file and can be read.
#include <vector>

#include <attnlab/io/odd_values.hpp>
#include <attnlab/io/safetensors.hpp>

#include "input_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input_file const input(data, size);
    try {
        attnlab::safetensors_reader const file(input.path());
        std::size_t bytes = 0;
        for (auto const& t : file.tensors()) {
            bytes += t.bytes.size();
            // A read beyond a tensor is one inside the mapping, which no sanitizer sees.
            if (static_cast<std::size_t>(t.size()) * attnlab::about(t.type).bits != 8 * t.bytes.size()) std::abort();
            count_odd_values(t, [](std::size_t) {});
            if (t.type == attnlab::dtype::f32 || t.type == attnlab::dtype::bf16 || t.type == attnlab::dtype::f16) {
                std::vector<float> values(static_cast<std::size_t>(t.size()));
                t.read(std::span(values));
            }
        }
        if (bytes > size) std::abort();
    } catch (attnlab::error const&) {
    }
    return 0;
}
