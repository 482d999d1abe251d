#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <utility>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/observe/record.hpp>

/// \file
/// What an intervention writes in place of a number: a struct with `double operator()(double x, place_of_change const&) const`.

namespace attnlab {

/// The number at hand: where it stands, and what the outlier set knows of it.
struct place_of_change {
    std::string const& site;         ///< full name, "blocks.2.hook_resid_post"
    std::span<index_t const> shape;  ///< of the tensor
    index_t offset = 0;              ///< in the tensor, row-major
    double found = 0;                ///< the value that made it an outlier
    double mean = 0;                 ///< of `found` over the outliers of the same layer and channel, those of position 0 apart
};

namespace change {

struct to_zero {
    double operator()(double, place_of_change const&) const { return 0; }
};
/// The mean over sequences and positions, position 0 apart: "set to mean" of Sun et al. (2402.17762), values found rather than
/// typed in.
struct to_mean {
    double operator()(double, place_of_change const& at) const { return at.mean; }
};
struct to_value {
    double value = 0;
    double operator()(double, place_of_change const&) const { return value; }
};
struct scale {
    double by = 1;
    double operator()(double x, place_of_change const&) const { return by * x; }
};
/// To [-most, most]. A NaN stays one.
struct clamp {
    double most = 0;
    double operator()(double x, place_of_change const&) const { return x < -most ? -most : x > most ? most : x; }
};
/// What stood there in another run, which must outlive this: of another text, another model, before an edit.
template <class Record>
struct patch {
    Record const& from;
    double operator()(double, place_of_change const& at) const {
        auto const& other = from.at(at.site);
        require(std::equal(at.shape.begin(), at.shape.end(), other.shape.begin(), other.shape.end()), "patch: ", at.site,
                ": expected a record of the same shape");
        return static_cast<double>(other.values[static_cast<std::size_t>(at.offset)]);
    }
};
template <class Record>
patch(Record const&) -> patch<Record>;

}  // namespace change
}  // namespace attnlab
