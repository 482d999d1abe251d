#pragma once
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>

/// \file
/// What a figure shows, as plain values: fill them, then `render` (render.hpp) them. A figure is a grid of panels (one, mostly); a
/// panel has curves, grouped bars, a heat map or a relief, and reference lines. NaN is a gap in a curve and a blank in a map.

namespace attnlab {

/// Colours that the colour-blind tell apart (Okabe and Ito 2008, its yellow left out: too pale on white), as 0xRRGGBB. The same
/// index is the same colour in every figure: give each policy one index. Beyond the eighth they begin again.
inline std::uint32_t colour_of(std::size_t index) {
    static constexpr std::array<std::uint32_t, 8> palette{0x0072B2, 0xD55E00, 0x009E73, 0xCC79A7, 0xE69F00, 0x56B4E9, 0x444444, 0x7F5539};
    return palette[index % palette.size()];
}

struct shown_range {
    double low, high;
};

/// An axis of a panel, or the colours of all heat maps of a figure.
struct figure_axis {
    std::string label{};
    bool log = false;                   ///< values that are not positive are left out (of a map: take the lowest colour)
    std::optional<shown_range> range{};  ///< without one, that of the data
    std::vector<std::string> names{};   ///< names of the positions 0, 1, 2, ... instead of numbers (groups of bars, tokens)
};

enum class draw { line, line_points, points };

/// y over x, with a band (or bars) from low to high where these are given.
struct curve {
    std::string label{};  ///< for the legend; curves of one label share an entry
    std::vector<double> x{}, y{}, low{}, high{};
    std::size_t colour = 0;  ///< index for `colour_of`
    draw style = draw::line;
    bool dashed = false;
    bool bars = false;  ///< low and high as a bar at each point, in place of a band
};

/// One bar in each group of the panel (one group for each of `x.names`), with an error bar where low and high are given.
struct bars {
    std::string label{};
    std::vector<double> values{}, low{}, high{};
    std::vector<std::size_t> colours{0};  ///< one for all, or one a bar
};

/// A matrix as colours: row 0 on top, row-major.
struct heat_map {
    std::size_t rows = 0, columns = 0;
    std::vector<double> values{};
};

/// A place along an axis of a relief.
struct axis_mark {
    double at = 0;  ///< in rows or columns
    std::string label{};
};

/// Sizes over a grid in space: a line a row, the first in front, heights from 0. A lone spike among thousands of small values is seen in it
/// as in no heat map. The panel's x names the columns, its y the heights.
struct relief {
    std::size_t rows = 0, columns = 0;
    std::vector<double> values{};                           ///< not negative, row-major
    std::string row_label{};
    std::vector<axis_mark> row_marks{}, column_marks{};     ///< where two would overlap, the first stays
    std::vector<std::size_t> highlighted{};                 ///< rows drawn in colour
};

/// A thin dashed line across the panel at a value of one axis, e.g. the entropy floor.
struct reference_line {
    double at = 0;
    std::string label{};
    bool vertical = false;  ///< at is an x
};

struct panel {
    std::string title{};
    figure_axis x{}, y{};
    std::vector<curve> curves{};
    std::vector<bars> groups{};
    std::optional<heat_map> map{};
    std::optional<relief> heights{};
    std::vector<reference_line> references{};
};

enum class colours { sequential, diverging };

struct figure {
    std::string title{};                        ///< mostly empty: a page has captions
    std::vector<panel> panels{};                ///< row by row
    std::size_t columns = 1;
    std::vector<std::string> row_titles{}, column_titles{};
    bool shared_axes = true;                    ///< one range for all panels, numbers and labels at the outer edges only
    figure_axis colour{};                              ///< label, scale and range of all heat maps
    colours palette = colours::sequential;      ///< diverging: white at zero
    bool legend = true;                         ///< above the panels, one entry a label
    double width = 800;                         ///< of the whole figure, in pixels (96 an inch)
    double aspect = 0;                          ///< height of a panel over its width; 0: 0.6, or as square as the first map's cells

    std::size_t rows() const { return (panels.size() + columns - 1) / columns; }
};

/// \throws error naming the figure and what does not fit together
inline void check(figure const& f) {
    auto const expect = [&](bool good, auto const&... what) { require(good, "figure '", f.title, "': ", what...); };
    auto const as_long = [&](char const* name, std::size_t size, std::size_t other, bool may_be_empty) {
        expect(size == other || (may_be_empty && size == 0), name, ": expected ", other, " values, found ", size);
    };
    auto const sound = [&](figure_axis const& a) {
        if (!a.range) return;
        auto const [low, high] = *a.range;
        expect(std::isfinite(low) && std::isfinite(high) && low < high, "axis '", a.label, "': expected a range from low to high");
        expect(!a.log || low > 0, "axis '", a.label, "': expected a range above 0 on a log scale");
    };
    expect(!f.panels.empty(), "expected at least one panel");
    expect(0 < f.columns && f.columns <= f.panels.size(), "columns: expected 1 to ", f.panels.size(), ", found ", f.columns);
    expect(std::isfinite(f.width) && f.width >= 100 && f.width <= 10'000, "width: expected 100 to 10000 pixels");
    expect(std::isfinite(f.aspect) && f.aspect >= 0 && f.aspect <= 10, "aspect: expected 0 to 10");
    as_long("row_titles", f.row_titles.size(), f.rows(), true);
    as_long("column_titles", f.column_titles.size(), f.columns, true);
    sound(f.colour);
    expect(!f.colour.log || f.palette == colours::sequential, "colour: expected no log scale with diverging colours");
    for (auto const& p : f.panels) {
        sound(p.x);
        sound(p.y);
        expect(!p.map || (p.curves.empty() && p.groups.empty()), "a panel with a heat map: expected no curves and no bars");
        expect(p.curves.empty() || p.groups.empty(), "a panel: expected curves or bars, not both");
        expect(!p.heights || (!p.map && p.curves.empty() && p.groups.empty()), "a panel with a relief: expected nothing else");
        if (p.heights) {
            expect(p.heights->rows > 0 && p.heights->columns > 1, "relief: expected at least one row and two columns");
            as_long("relief", p.heights->values.size(), p.heights->rows * p.heights->columns, false);
            for (std::size_t r : p.heights->highlighted) expect(r < p.heights->rows, "relief: highlighted row ", r, ": expected below ", p.heights->rows);
        }
        for (auto const& c : p.curves) {
            as_long("curve y", c.y.size(), c.x.size(), false);
            as_long("curve low", c.low.size(), c.x.size(), true);
            as_long("curve high", c.high.size(), c.low.size(), false);
        }
        for (auto const& b : p.groups) {
            as_long("bars", b.values.size(), p.x.names.size(), false);
            as_long("bars low", b.low.size(), b.values.size(), true);
            as_long("bars high", b.high.size(), b.low.size(), false);
            expect(b.colours.size() == 1 || b.colours.size() == b.values.size(), "bars: expected one colour or one a bar");
        }
        if (p.map) {
            expect(p.map->rows > 0 && p.map->columns > 0, "heat map: expected at least one row and one column");
            as_long("heat map", p.map->values.size(), p.map->rows * p.map->columns, false);
        }
    }
}

}  // namespace attnlab
