#pragma once
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/analysis/comparison.hpp>
#include <attnlab/analysis/compression_table.hpp>
#include <attnlab/analysis/curve_figures.hpp>
#include <attnlab/analysis/emergence_report.hpp>
#include <attnlab/analysis/findings.hpp>
#include <attnlab/analysis/map_figures.hpp>
#include <attnlab/analysis/results_csv.hpp>
#include <attnlab/analysis/results_json.hpp>
#include <attnlab/analysis/scale_panel.hpp>
#include <attnlab/io/file.hpp>
#include <attnlab/io/page.hpp>
#include <attnlab/io/render.hpp>
#include <attnlab/io/table.hpp>

/// \file
/// The report of a comparison: one page to show a colleague. All it says is asked from the rows.

namespace attnlab {
namespace detail {

/// A figure of the report: where it goes on the page and what stands under it.
struct report_figure {
    std::string heading, name, caption;
    figure value;
};

inline std::string over_seeds(manifest const& m) {
    return m.seeds.size() > 1 ? " Lines are means over seeds; bands reach from the lowest seed to the highest." : "";
}

inline std::vector<report_figure> curve_figures(manifest const& m, results const& rows, std::vector<policy_summary> const& policies) {
    auto const drawn = drawn_policies(rows, policies);
    double uniform = std::numeric_limits<double>::quiet_NaN();
    for (auto const& p : policies)
        if (p.uniform.count > 0) uniform = p.uniform.mean;
    return {{"Training", "loss",
             (m.has_floor() ? "Loss above the entropy floor while training." : "Validation loss while training.") + over_seeds(m), loss_figure(m, drawn)},
            {"Sinks as they grow", "sinks",
             "BOS mass and value ratio of layer 0 (means over its heads), the heads that are sinks and drains at once, and the kurtosis of "
             "the stream that enters layer 0." + over_seeds(m), sink_figure(drawn, uniform)},
            {"Where sinks and drains fall together", "drain",
             "Every head of every seed at the end of training. Heads that attend to BOS and have drained its value lie in the lower right corner; "
             "the dashed lines stand at " + cell(sink_threshold) + " and " + cell(drain_threshold) + ".", drain_figure(drawn)},
            {"Magnitudes by layer", "magnitudes",
             "Largest three and median magnitude of each layer's output: per sequence, then the mean over sequences; log scale. A massive activation would "
             "lift the largest three away from the median by a factor near 1000." + over_seeds(m), magnitude_figure(drawn)},
            {"Kurtosis of the residual stream", "kurtosis",
             "E[x^4] / E[x^2]^2 of the stream into each layer and out of the last; log scale." + over_seeds(m), kurtosis_figure(drawn)}};
}

/// Nothing where no run was looked at while it trained.
inline std::vector<report_figure> emergence_figures(manifest const& m, results const& rows, std::vector<policy_summary> const& policies) {
    std::vector<drawn_policy> drawn;
    for (auto& p : drawn_policies(rows, policies))
        if (p.rows.find({.metric = "sink_share"})) drawn.push_back(std::move(p));
    if (drawn.empty()) return {};
    return {{"", "emergence_sinks", "Sink share of every head of every seed while training, a colour a layer; the dashed line stands at " + cell(sink_threshold) + ".",
             emergence_sink_figure(drawn)},
            {"", "emergence_peaks", "Residual peak of the stream that enters each layer while training; the dashed line stands at " + cell(peak_threshold) + "." + over_seeds(m),
             emergence_peak_figure(drawn)}};
}

/// The first sample of each policy, in the order of the page.
inline std::vector<sample> one_sample_each(std::vector<sample> const& samples, std::vector<policy_summary> const& policies) {
    std::vector<sample> out;
    for (auto const& p : policies) {
        auto const it = std::find_if(samples.begin(), samples.end(), [&](sample const& s) { return s.policy == p.name; });
        if (it != samples.end()) out.push_back(*it);
    }
    return out;
}

inline std::vector<report_figure> attention_figures(std::vector<sample> const& samples) {
    if (samples.empty()) return {};
    auto const at = most_switching_head(samples);
    auto const& s = samples[at.sample];
    auto const place = policy_label(s.policy) + ", layer " + std::to_string(at.layer) + ", head " + std::to_string(at.head);
    return {{"Attention maps", "attention",
             "One evaluation sequence after training (seed " + std::to_string(s.seed) + "): queries down, keys across; for each layer the mean of its heads and the head "
             "that gives the first key the most.", map_figure(samples)},
            {"", "attention_head",
             "The head, of all above, whose weight on the first key changes the most from query to query: " + place + ". A trigger is written t1, t2, ... where the task has them.",
             close_up_figure(s, at.layer, at.head)}};
}

inline std::string thresholds_text(manifest const& m) {
    std::string out = "Verdicts go by " + median_of(m.seeds.size()) + ". A head is a sink above " + cell(sink_threshold) + " of BOS mass, its value is drained below a ratio of " +
                      cell(drain_threshold) + "; a stream is heavy-tailed above a kurtosis of " + cell(heavy_tail) + " (ours)";
    if (m.has_floor()) out += "; the task is learned from a copy accuracy of " + cell(learned_accuracy) + " on";
    return out + "; losses within " + cell(equal_loss) + " nats count as equal.";
}

inline std::string table_note(manifest const& m) {
    return std::string(m.has_floor() ? "Excess: nats above the entropy floor. " : "") +
           "L0: the first layer, the mean over its heads; into L0: the stream that enters it; outlier tokens: counted over all layer outputs. " +
           (m.seeds.size() > 1 ? "Mean ± 95 % interval of the mean over " + count_word(m.seeds.size()) + " seeds (Student's t)." : std::string("One seed: no interval.")) +
           " " + absent + " stands for what was not measured; (2 of 3): fewer seeds than asked for have a number.";
}

}  // namespace detail

/// Writes results.json, results.csv, figures/NAME.svg and .pdf, report.html and report.md into `folder`.
/// \param samples  of which the first of each policy is drawn
/// \throws error naming the file, or gnuplot, that failed
inline void write_report(std::filesystem::path const& folder, manifest const& m, results const& rows, std::vector<sample> const& samples) {
    make_folder(folder / "figures");
    write_results_json(folder / "results.json", m, rows);
    write_results_csv(folder / "results.csv", rows);
    require(!rows.empty(), folder.string(), ": report: expected at least one result");

    auto const policies = summarise(rows, m);
    auto figures = detail::curve_figures(m, rows, policies);
    auto const maps = detail::attention_figures(detail::one_sample_each(samples, policies));
    figures.insert(figures.begin() + 2, maps.begin(), maps.end());
    auto const emergence = detail::emergence_figures(m, rows, policies);
    auto const scales = scale_figure(rows, policies);
    std::vector<figure_file> files;
    if (scales) files.push_back({*scales, folder / "figures" / "scales"});
    for (auto const* some : {&std::as_const(figures), &emergence})
        for (auto const& f : *some) files.push_back({f.value, folder / "figures" / f.name});
    render(files);

    auto title = count_word(policies.size()) + " attention polic" + (policies.size() == 1 ? "y" : "ies, side by side");
    title[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(title[0])));
    page p{title};
    p.paragraph(summary_text(m, policies));
    if (auto const missing = missing_runs(m, rows); !missing.empty()) p.paragraph("Missing: " + joined(missing, "; ") + ".");

    // Six policies fit the page's width when words may wrap and numbers may not.
    p.raw("<style>th, td { white-space: normal; padding: .35em .5em; } td.right { white-space: nowrap; }</style>", "");
    p.heading(2, "Side by side");
    p.add(comparison_table(m, rows, policies));
    p.paragraph(detail::table_note(m));

    p.heading(2, "What was found");
    for (auto const& s : policies) {
        p.heading(3, s.label);
        p.paragraph(finding(m, s));
    }
    if (auto const needed = outlook(policies); !needed.empty()) p.paragraph(needed);
    p.paragraph(detail::thresholds_text(m));

    auto const show = [&](std::vector<detail::report_figure> const& some) {
        for (auto const& f : some) {
            if (!f.heading.empty()) p.heading(2, f.heading);
            p.figure_svg(read_text(folder / "figures" / (f.name + ".svg")), "figures/" + f.name + ".svg", f.caption);
        }
    };
    show(figures);
    if (!emergence.empty()) {
        p.heading(2, "Emergence");
        show(emergence);
        p.add(emergence_table(m, rows, policies));
        p.paragraph(emergence_text());
    }

    if (auto const scale = scale_table(m, rows, policies); !scale.rows.empty()) {
        p.heading(2, "Are outliers implicit context-aware scaling factors?");
        p.add(scale);
        p.paragraph(scale_text(rows, policies));
        p.paragraph(scale_rule());
        if (scales)
            p.figure_svg(read_text(folder / "figures" / "scales.svg"), "figures/scales.svg",
                         "S of every head in the first seed: for which share of the queries it lies below what. A flat line is a constant scale, a step a switch.");
        if (auto const heads = scale_heads_table(rows, policies); !heads.rows.empty()) p.add(heads);
    }
    if (auto const costs = compression_table(m, rows, policies); !costs.rows.empty()) {
        p.heading(2, "What compression costs");
        p.add(costs);
        p.paragraph(compression_text(rows, policies));
    }
    p.heading(2, "Definitions");
    p.add(definitions_table(rows));
    p.heading(2, "How it was run");
    p.add(run_table(m));
    p.write_html(folder / "report.html");
    p.write_markdown(folder / "report.md");
}

}  // namespace attnlab
