#pragma once
#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/estimate.hpp>
#include <attnlab/analysis/metrics.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/io/observations.hpp>

/// \file
/// Numbers of many runs in one list: who (policy, seed), when (step), where (layer, head), what (metric). Everything printed or
/// drawn is asked from here.

namespace attnlab {

/// One measured number.
struct result {
    std::string policy;
    int seed = 0;
    index_t step = 0, layer = whole, head = whole;
    std::string metric;
    double value = 0;
    std::string definition;
};

/// What to look for; an empty field takes all.
struct where {
    std::optional<std::string> policy = {}, metric = {};
    std::optional<int> seed = {};
    std::optional<index_t> step = {}, layer = {}, head = {};

    bool operator()(result const& r) const {
        return (!step || *step == r.step) && (!layer || *layer == r.layer) && (!head || *head == r.head) && (!seed || *seed == r.seed) &&
               (!metric || *metric == r.metric) && (!policy || *policy == r.policy);
    }
};

/// A metric at a place of the model.
struct measure_at {
    std::string metric;
    index_t layer = whole, head = whole;
};

class results {
public:
    /// Appends a row with a definition of its own. \throws error when the definition is empty
    void add(result r) {
        require(!r.definition.empty(), "results: metric '", r.metric, "': expected a definition");
        rows_.push_back(std::move(r));
    }
    /// Appends a row of a known metric. \throws error when metrics.hpp has no such name
    void add(std::string const& policy, int seed, index_t step, measure_at const& at, double value) {
        rows_.push_back({policy, seed, step, at.layer, at.head, at.metric, value, metric_named(at.metric).definition});
    }
    /// Appends another run's rows.
    void merge(results const& other) { rows_.insert(rows_.end(), other.rows_.begin(), other.rows_.end()); }

    auto begin() const { return rows_.begin(); }
    auto end() const { return rows_.end(); }
    std::size_t size() const { return rows_.size(); }
    bool empty() const { return rows_.empty(); }

    /// The rows that match, in order.
    results filter(where const& condition) const {
        results out;
        std::copy_if(begin(), end(), std::back_inserter(out.rows_), condition);
        return out;
    }
    /// The first row's value, or nothing.
    std::optional<double> find(where const& condition) const {
        auto const it = std::find_if(begin(), end(), condition);
        return it == end() ? std::nullopt : std::optional(it->value);
    }

    /// Different values of one field, in order of appearance: `distinct(&result::policy)`.
    template <class Field>
    std::vector<Field> distinct(Field result::* field) const {
        std::vector<Field> out;
        for (auto const& r : rows_)
            if (std::find(out.begin(), out.end(), r.*field) == out.end()) out.push_back(r.*field);
        return out;
    }

    /// Per step, the values of a policy's seeds.
    std::map<index_t, std::vector<double>> over_steps(std::string const& policy, measure_at const& at) const {
        std::map<index_t, std::vector<double>> out;
        for (auto const& r : rows_)
            if (matches(r, policy, at)) out[r.step].push_back(r.value);
        return out;
    }
    /// Per seed, the value at the last step that has one.
    std::map<int, double> last_by_seed(std::string const& policy, measure_at const& at) const {
        std::map<int, std::pair<index_t, double>> latest;
        for (auto const& r : rows_) {
            if (!matches(r, policy, at)) continue;
            auto const [it, fresh] = latest.try_emplace(r.seed, r.step, r.value);
            if (!fresh && r.step >= it->second.first) it->second = {r.step, r.value};
        }
        std::map<int, double> out;
        for (auto const& [seed, last] : latest) out[seed] = last.second;
        return out;
    }
    /// The seeds' last values, summarised; empty when there is none.
    estimate last(std::string const& policy, measure_at const& at) const {
        std::vector<double> values;
        for (auto const& [seed, value] : last_by_seed(policy, at)) values.push_back(value);
        return estimate_of(std::move(values));
    }

private:
    static bool matches(result const& r, std::string const& policy, measure_at const& at) {
        return r.layer == at.layer && r.head == at.head && r.metric == at.metric && r.policy == policy;
    }
    std::vector<result> rows_;
};

}  // namespace attnlab
