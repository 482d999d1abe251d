// A .npy of any bytes.
#include <attnlab/io/npy.hpp>

#include "input_file.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
    input_file const input(data, size);
    try {
        attnlab::npy_array const array(input.path());
        if (array.as<double>().size() > size) std::abort();
    } catch (attnlab::error const&) {
    }
    return 0;
}
