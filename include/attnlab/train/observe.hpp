#pragma once
#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/core/view.hpp>
#include <attnlab/data/tokens.hpp>
#include <attnlab/io/observation_stream.hpp>
#include <attnlab/observe/observer.hpp>

/// \file
/// Looking at a model while it trains: every so many steps, numbers by name, streamed to files. Looking changes no bit of the run.

namespace attnlab {

/// An observer that tells what it saw: `each(row)` calls `row(metric, value)`, `row(metric, value, layer)` or
/// `row(metric, value, layer, head)` for each number.
template <class O>
concept telling_observer = observer<O> && requires(O const& o, step_rows& row) { o.each(row); };

/// A fixed batch that an observer looks at, each time anew: "loss" on it, and what the observer tells.
template <telling_observer Observer>
class probe {
public:
    /// \param x, y   tokens and targets, both (B, T); kept as a copy
    /// \param fresh  the observer before it has seen anything
    probe(view<token const, 2> x, view<token const, 2> y, Observer fresh)
        : shape_(x.shape()), x_(x.begin(), x.end()), y_(y.begin(), y.end()), fresh_(std::move(fresh)) {
        require(x.shape() == y.shape(), "probe: expected targets of the inputs' shape");
    }

    template <class Model>
    void operator()(Model& model, step_rows& row) const {
        auto seen = fresh_;
        row("loss", model.loss({x_.data(), shape_}, {y_.data(), shape_}, seen));
        seen.each(row);
    }

private:
    view<token const, 2>::shape_type shape_;
    std::vector<token> x_, y_;
    Observer fresh_;
};

/// What is looked at, how often, and where to.
template <class Model>
class training_observers {
public:
    using look = std::function<void(Model&, step_rows&)>;

    /// \throws usage_error for an interval below 1
    void add(std::int64_t interval, look what, std::vector<observation_stream*> streams) {
        if (interval < 1) fail<usage_error>("observe_interval: '", interval, "': expected 1 or more");
        looks_.push_back({interval, std::move(what), std::move(streams)});
    }

    /// Opens the streams of a run that stands at `step`.
    void begin(std::int64_t step) const {
        for (auto const& l : looks_)
            for (auto* s : l.streams) s->begin(step);
    }

    /// Whether it is time to look at anything.
    bool look_at(std::int64_t step, bool last) const {
        return std::any_of(looks_.begin(), looks_.end(), [&](auto const& l) { return last || step % l.interval == 0; });
    }

    /// Looks where it is time to, or at all where this step is the last. \throws error when a file cannot be written
    void see(std::int64_t step, bool last, Model& model) const {
        for (auto const& l : looks_) {
            if (!last && step % l.interval != 0) continue;
            step_rows rows(step);
            l.what(model, rows);
            for (auto* s : l.streams) s->append(rows.all());
        }
    }

private:
    struct scheduled {
        std::int64_t interval;
        look what;
        std::vector<observation_stream*> streams;
    };
    std::vector<scheduled> looks_;
};

}  // namespace attnlab
