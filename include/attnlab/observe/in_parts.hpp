#pragma once
#include <algorithm>
#include <cstdint>

#include <attnlab/observe/language_model.hpp>

namespace attnlab {

/// Passes many sequences in parts, so that the stream of all is never in memory: `pass(ids of some, observer, first)` for each part, where
/// the observer is `o` with sequences numbered over all. A folder's weights are read once for each part, some 512 MiB of stream.
template <class Pass>
void in_parts(model_facts const& model, language_model::ids all, any_observer& o, Pass pass) {
    class numbered final : public any_observer {
    public:
        numbered(any_observer& inner, index_t first) : inner_(inner), first_(first) { keys = inner.keys; }
        bool asks(std::string_view site, index_t layer) const override { return inner_.asks(site, layer); }
        void see(seen_site const& x) override {
            auto moved = x;
            moved.first_sequence += first_;
            inner_.see(moved);
        }

    private:
        any_observer& inner_;
        index_t first_;
    };
    index_t const N = all.shape(0), T = all.shape(1), stream = index_t{1} << 27;   // floats
    index_t const some = std::clamp<index_t>(stream / std::max<index_t>(1, T * model.width), 1, std::max<index_t>(1, N));
    for (index_t n = 0; n < N; n += some) {
        numbered part(o, n);
        pass(language_model::ids(all.data() + n * T, {std::min(some, N - n), T}), part, n);
    }
}

}  // namespace attnlab
