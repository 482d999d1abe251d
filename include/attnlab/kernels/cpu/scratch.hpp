#pragma once
#include <attnlab/core/buffer.hpp>
#include <attnlab/kernels/cpu/tile.hpp>

namespace attnlab::detail {

/// Memory of one thread, kept from call to call.
class scratch {
public:
    /// Room for all that `take` will ask for.
    explicit scratch(index_t count) {
        if (memory().size() < static_cast<std::size_t>(count)) memory().resize(static_cast<std::size_t>(count));
        next_ = memory().data();
    }
    float* take(index_t rows, index_t columns) {
        float* p = next_;
        next_ += rows * rounded_up(columns);
        return p;
    }

private:
    static buffer<float>& memory() {
        static thread_local buffer<float> m;
        return m;
    }
    float* next_;
};

}  // namespace attnlab::detail
