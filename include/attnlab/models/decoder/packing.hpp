#pragma once
#include <vector>

#include <attnlab/core/heads.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/models/decoder/description.hpp>

/// \file
/// Between what a family's projections give and what attention reads: rows of all q, all k, all v, (H + 2 H_kv) D numbers.

namespace attnlab {

/// Equal runs of adjacent columns: where they begin in rows of a projection and in packed rows, and how far apart they are.
struct column_runs {
    index_t count, width, at, apart, packed_at, packed_apart;
};

/// Those of a projection of `width` columns, whose place in packed rows, where they are not grouped, begins at `first`.
inline std::vector<column_runs> runs_of(decoder_description const& d, index_t first, index_t width) {
    if (!d.grouped) return {{1, width, 0, 0, first, 0}};
    index_t const D = d.head_size, H = d.heads, G = d.kv_heads, queries = H / G * D, group = queries + 2 * D;
    return {{G, queries, 0, group, 0, queries}, {G, D, queries, group, H * D, D}, {G, D, queries + D, group, (H + G) * D, D}};
}

/// projected (N, W) -> its columns of packed (N, (H + 2 H_kv) D). Include the kernels of the device beside this header.
template <class Device, class S>
void pack_columns(decoder_description const& d, index_t first, view<S const, 2> projected, view<S, 2> packed) {
    for (auto const& r : runs_of(d, first, projected.shape(1)))
        copy_heads(Device{}, heads<S const>{projected.data() + r.at, 0, r.apart, projected.shape(1)},
                   heads<S>{packed.data() + r.packed_at, 0, r.packed_apart, packed.shape(1)}, 1, r.count, packed.shape(0), r.width);
}
/// And back.
template <class Device, class S>
void unpack_columns(decoder_description const& d, index_t first, view<S const, 2> packed, view<S, 2> projected) {
    for (auto const& r : runs_of(d, first, projected.shape(1)))
        copy_heads(Device{}, heads<S const>{packed.data() + r.packed_at, 0, r.packed_apart, packed.shape(1)},
                   heads<S>{projected.data() + r.at, 0, r.apart, projected.shape(1)}, 1, r.count, packed.shape(0), r.width);
}

}  // namespace attnlab
