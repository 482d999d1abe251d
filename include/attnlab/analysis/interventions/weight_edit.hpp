#pragma once
#include <array>
#include <cstddef>
#include <string>
#include <vector>

#include <attnlab/analysis/interventions/at_outliers.hpp>
#include <attnlab/observe/weights.hpp>

namespace attnlab {

/// Weights changed for as long as this lives: `{ weight_edit edit(model.parameters());
/// edit.apply<site::weight<"mlp.down_proj">>(set, change::to_zero{}); model.loss(x, y); }`. The parameters must outlive it.
template <class T>
class weight_edit {
public:
    explicit weight_edit(parameter_list<T> const& parameters) : parameters_(parameters) {}
    weight_edit(weight_edit const&) = delete;
    weight_edit& operator=(weight_edit const&) = delete;
    ~weight_edit() { restore(); }

    /// \return how many weights were changed \throws error for a coordinate that the weight does not have
    template <class Weight, class Change>
    index_t apply(outlier_set<axis::layer, axis::row, axis::column> const& at, Change change) {
        auto const weights = weights_at<Weight>(parameters_);
        detail::means_of_outliers const means(at);
        for (auto const& e : at) {
            auto const [layer, row, column] = e.at;
            require(0 <= layer && layer < static_cast<index_t>(weights.size()), "weight edit: layer ", layer, ": expected 0 to ",
                    weights.size() - 1);
            auto& w = *weights[static_cast<std::size_t>(layer)];
            require(row < w.shape[0] && column < w.shape[1], "weight edit: ", w.name, ": row ", row, ", column ", column,
                    ": expected ", w.shape[0], " x ", w.shape[1]);
            index_t const offset = row * w.shape[1] + column;
            T& number = w.value[static_cast<std::size_t>(offset)];
            saved_.push_back({&number, number});
            std::string const name = site::full_name<Weight>(layer);
            number = static_cast<T>(change(static_cast<double>(number), {name, w.shape, offset, e.value, means.of(e.at)}));
        }
        return static_cast<index_t>(at.size());
    }

    /// The weights as they were before the first edit.
    void restore() {
        for (; !saved_.empty(); saved_.pop_back()) *saved_.back().where = saved_.back().what;
    }

private:
    struct saved {
        T* where;
        T what;
    };
    parameter_list<T> const& parameters_;
    std::vector<saved> saved_;
};

}  // namespace attnlab
