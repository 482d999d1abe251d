#pragma once
#include <string_view>
#include <utility>

#include <attnlab/analysis/views/attention_survey.hpp>
#include <attnlab/analysis/views/rows_survey.hpp>
#include <attnlab/observe/any_observer.hpp>

namespace attnlab {

/// The first look at a model, one pass over any number of sequences: what the layers put out, what their down projections read,
/// which keys are looked at. All views start from what is found here.
class survey : public any_observer {
public:
    explicit survey(looked_at about = {}, mean_ratio activations = {}, attention_column keys = {})
        : layer_out_(activations, about), down_in_(activations, about), attention_(keys, {.eps = 0.3, .length = 0}, about) {}

    bool asks(std::string_view name, index_t) const override {
        return name == site::resid_post::name || name == site::mlp_post::name || name == site::pattern_sums::name;
    }
    void see(seen_site const& x) override {
        if (x.site == site::resid_post::name)
            layer_out_.see(x);
        else if (x.site == site::mlp_post::name)
            down_in_.see(x);
        else if (x.site == site::pattern_sums::name)
            attention_.see(x);
    }

    rows_survey<site::resid_post> const& layer_out() const { return layer_out_; }
    /// Empty for a mixture of experts: each expert reads its own.
    rows_survey<site::mlp_post> const& down_in() const { return down_in_; }
    attention_survey const& attention() const { return attention_; }

private:
    rows_survey<site::resid_post> layer_out_;
    rows_survey<site::mlp_post> down_in_;
    attention_survey attention_;
};

}  // namespace attnlab
