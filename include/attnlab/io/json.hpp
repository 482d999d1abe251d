#pragma once
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include <attnlab/core/error.hpp>
#include <attnlab/io/file.hpp>

/// \file
/// JSON with errors a user can act on: `PATH: line 3, column 7: ...` for the text, `PATH: field 'x': expected ...` for a value.

namespace attnlab {

/// Objects keep the order of the file. A look-up walks the keys: for objects of many thousands of keys (a vocabulary) ask
/// `parse_json<sorted_json>` instead.
using json = nlohmann::ordered_json;
using sorted_json = nlohmann::json;

namespace detail {

/// Refuses what the library would take: a key twice in one object, and nesting deeper than `max_depth`.
template <class Json>
class json_guard {
public:
    json_guard(std::string const& where, int max_depth) : where_(where), max_depth_(max_depth) {}
    void operator()(int depth, typename Json::parse_event_t event, Json& value) {
        using on = typename Json::parse_event_t;
        if (event == on::object_start || event == on::array_start)
            require(depth < max_depth_, where_, ": expected JSON nested at most ", max_depth_, " deep");
        if (event == on::object_start) keys_.emplace_back();
        if (event == on::object_end) keys_.pop_back();
        if (event == on::key) {
            auto const& name = value.template get_ref<std::string const&>();
            require(keys_.back().insert(name).second, where_, ": field '", name, "' is there twice");
        }
    }

private:
    std::string const& where_;
    int max_depth_;
    std::vector<std::unordered_set<std::string>> keys_;
};

/// `watch(depth, event, value)` says whether a value is kept.
template <class Json, class Watch>
Json parse_watched(std::string_view text, std::string const& where, Watch const& watch) {
    try {
        return Json::parse(text.begin(), text.end(), watch);
    } catch (typename Json::parse_error const& e) {
        auto const before = text.substr(0, e.byte == 0 ? 0 : std::min(e.byte - 1, text.size()));
        auto const line = 1 + std::count(before.begin(), before.end(), '\n');
        auto const column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
        fail(where, ": line ", line, ", column ", column, ": expected valid JSON");
    } catch (typename Json::exception const&) {
        fail(where, ": expected JSON whose numbers fit a double");
    }
}

}  // namespace detail

/// Parses `text`; `where` begins the error line. A key twice in one object and nesting deeper than `max_depth` are errors too.
/// \throws error
template <class Json = json>
Json parse_json_text(std::string_view text, std::string const& where, int max_depth = 64) {
    detail::json_guard<Json> guard(where, max_depth);
    return detail::parse_watched<Json>(text, where, [&](int depth, typename Json::parse_event_t event, Json& value) {
        guard(depth, event, value);
        return true;
    });
}

/// Parses an object field by field: `use(name, value)` is called with each and the value forgotten, so that a text of any length takes the
/// memory of its largest field, which may have `max_parts` keys and values in it. \throws error
template <class Json = json, class Use>
void for_each_json_field(std::string_view text, std::string const& where, int max_depth, std::size_t max_parts, Use use) {
    detail::json_guard<Json> guard(where, max_depth);
    std::string name;
    std::size_t parts = 0;
    detail::parse_watched<Json>(text, where, [&](int depth, typename Json::parse_event_t event, Json& value) {
        using on = typename Json::parse_event_t;
        guard(depth, event, value);
        if (depth == 0) {
            require(event == on::object_start || event == on::object_end, where, ": expected a JSON object");
            return true;
        }
        if (depth == 1 && event == on::key) {
            name = value.template get<std::string>();
            parts = 0;
        }
        parts += event != on::object_end && event != on::array_end;
        require(parts <= max_parts, where, ": field '", name, "': expected at most ", max_parts, " keys and values");
        if (depth > 1 || (event != on::object_end && event != on::array_end && event != on::value)) return true;
        use(std::as_const(name), std::as_const(value));
        return false;
    });
}

/// Reads and parses a file. \throws error
template <class Json = json>
Json parse_json(std::filesystem::path const& path) {
    return parse_json_text<Json>(read_text(path), path.string());
}

/// Writes `value`, indented by two, atomically. Text that is not UTF-8 gets replacement characters. \throws error
template <class Json>
void write_json(std::filesystem::path const& path, Json const& value) {
    write_atomically(path, [&](std::ostream& out) { out << value.dump(2, ' ', false, Json::error_handler_t::replace) << '\n'; });
}

/// A number for JSON, which has no NaN and no infinities: these become the texts "nan", "inf", "-inf", which `field<double>` reads.
inline json json_number(double value) {
    if (std::isnan(value)) return "nan";
    if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
    return value;
}

namespace detail {

template <class T>
struct json_kind;  // bool convert(value, T&); std::string expected()

template <>
struct json_kind<bool> {
    static bool convert(auto const& value, bool& out) { return value.is_boolean() && (value.get_to(out), true); }
    static std::string expected() { return "true or false"; }
};

template <std::integral T>
struct json_kind<T> {
    static bool convert(auto const& value, T& out) {
        auto const fits = [&](auto number) { return std::in_range<T>(number) && (out = static_cast<T>(number), true); };
        if (value.is_number_unsigned()) return fits(value.template get<std::uint64_t>());
        return value.is_number_integer() && fits(value.template get<std::int64_t>());
    }
    static std::string expected() {
        using limits = std::numeric_limits<T>;
        if constexpr (sizeof(T) < sizeof(std::int64_t)) return text("a whole number from ", +limits::min(), " to ", +limits::max());
        return std::is_signed_v<T> ? "a whole number" : "a whole number, not negative";
    }
};

template <std::floating_point T>
struct json_kind<T> {
    static bool convert(auto const& value, T& out) {
        if (value.is_string()) {
            auto const& word = value.template get_ref<std::string const&>();
            constexpr T inf = std::numeric_limits<T>::infinity();
            if (word == "nan") return out = std::numeric_limits<T>::quiet_NaN(), true;
            if (word == "inf" || word == "-inf") return out = word[0] == '-' ? -inf : inf, true;
        }
        return value.is_number() && (value.get_to(out), true);
    }
    static std::string expected() { return "a number"; }
};

template <>
struct json_kind<std::string> {
    static bool convert(auto const& value, std::string& out) { return value.is_string() && (value.get_to(out), true); }
    static std::string expected() { return "a text"; }
};

template <class T>
struct json_kind<std::vector<T>> {
    static bool convert(auto const& value, std::vector<T>& out) {
        if (!value.is_array()) return false;
        out.clear();
        for (auto const& element : value) {
            T one{};
            if (!json_kind<T>::convert(element, one)) return false;
            out.push_back(std::move(one));
        }
        return true;
    }
    static std::string expected() { return "a list, each " + json_kind<T>::expected(); }
};

/// A whole object or list, to be taken apart further.
template <class Json>
    requires nlohmann::detail::is_basic_json<Json>::value
struct json_kind<Json> {
    static bool convert(Json const& value, Json& out) { return value.is_structured() && (out = value, true); }
    static std::string expected() { return "an object or a list"; }
};

template <class Json>
std::string json_glimpse(Json const& value) {
    if (value.is_object()) return "an object";
    if (value.is_array() && value.size() > 8) return text("a list of ", value.size());
    auto word = value.dump(-1, ' ', true, Json::error_handler_t::replace);
    return word.size() <= 40 ? word : word.substr(0, 37) + "...";
}

}  // namespace detail

/// `value` as a T: bool, a whole number (range checked), float or double, std::string, std::vector of these, or json (an object or
/// a list). `where` and `name` are for the error line only; nested fields may pass "config.json: rope_scaling" as `where`.
/// \throws error
template <class T, class Json>
T json_as(Json const& value, std::string const& where, std::string_view name) {
    T out{};
    if (!detail::json_kind<T>::convert(value, out))
        fail(where, ": field '", name, "': expected ", detail::json_kind<T>::expected(), ", found ", detail::json_glimpse(value));
    return out;
}

/// The field `name` of `object`, which must be there. \throws error
template <class T, class Json>
T field(Json const& object, std::string const& where, std::string const& name) {
    require(object.is_object(), where, ": expected an object with the field '", name, "'");
    auto const at = object.find(name);
    require(at != object.end(), where, ": field '", name, "' is missing: expected ", detail::json_kind<T>::expected());
    return json_as<T>(*at, where, name);
}

/// The field `name` of `object`, or `otherwise` where it is missing or null. \throws error when it is of another kind
template <class T, class Json>
T field_or(Json const& object, std::string const& where, std::string const& name, T otherwise) {
    require(object.is_object(), where, ": expected an object that may have the field '", name, "'");
    auto const at = object.find(name);
    return at == object.end() || at->is_null() ? otherwise : json_as<T>(*at, where, name);
}

}  // namespace attnlab
