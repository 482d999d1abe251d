#pragma once
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

/// \file
/// What a user may do wrong, as one readable line. Programs print `error: <line>` and exit with 1, or 2 for a wrong command line.

namespace attnlab {

/// Something in the world is not as expected (a file, a field, a shape). The text is one line: where, what, what was expected.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The command line or a configuration is wrong.
class usage_error : public error {
public:
    using error::error;
};

/// The pieces written one after the other.
template <class... Pieces>
std::string text(Pieces const&... pieces) {
    std::ostringstream out;
    (out << ... << pieces);
    return out.str();
}

/// "1 model", "3 models".
template <class Number>
std::string plural(Number n, std::string_view what) {
    return text(n, ' ', what, n == 1 ? "" : "s");
}

/// Throws `Error` with the pieces as its one line.
template <class Error = error, class... Pieces>
[[noreturn]] void fail(Pieces const&... pieces) {
    throw Error(text(pieces...));
}

/// Throws `error` with the pieces as its line unless `condition` holds.
template <class... Pieces>
void require(bool condition, Pieces const&... pieces) {
    if (!condition) fail(pieces...);
}

/// `a, b, c`: the list an error shows when a name is not known.
template <class Range>
std::string joined(Range const& names, std::string_view separator = ", ") {
    std::string out;
    for (auto const& name : names) {
        if (!out.empty()) out += separator;
        out += name;
    }
    return out;
}

}  // namespace attnlab
