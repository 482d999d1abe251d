#include <cmath>
#include <limits>

#include "formats.hpp"
#include "instructions.hpp"

namespace simulated {
namespace {

/// To an integer as PTX has it: what does not fit becomes the nearest that does, a NaN becomes 0.
template <class To, class From>
To clamped(From x) {
    if (std::isnan(x)) return 0;
    constexpr double least = static_cast<double>(std::numeric_limits<To>::min()), most = static_cast<double>(std::numeric_limits<To>::max());
    if (static_cast<double>(x) <= least) return std::numeric_limits<To>::min();
    if (static_cast<double>(x) >= most) return std::numeric_limits<To>::max();
    return static_cast<To>(x);
}
template <class To, class From>
void add_conversion(instruction_table& t, std::string const& to, std::string const& from) {
    std::string const types = "." + to + "." + from;
    if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
        t["cvt.rni" + types] = {lanewise<[](From x) { return clamped<To>(std::nearbyint(x)); }>};
        t["cvt.rzi" + types] = {lanewise<[](From x) { return clamped<To>(std::trunc(x)); }>};
        t["cvt.rmi" + types] = {lanewise<[](From x) { return clamped<To>(std::floor(x)); }>};
        t["cvt.rpi" + types] = {lanewise<[](From x) { return clamped<To>(std::ceil(x)); }>};
    } else {
        t["cvt" + types] = {lanewise<[](From x) { return static_cast<To>(x); }>};
        if constexpr (std::is_floating_point_v<To> && std::is_floating_point_v<From>) {
            t["cvt.rni" + types] = {lanewise<[](From x) { return static_cast<To>(std::nearbyint(x)); }>};
            t["cvt.rzi" + types] = {lanewise<[](From x) { return static_cast<To>(std::trunc(x)); }>};
            t["cvt.rmi" + types] = {lanewise<[](From x) { return static_cast<To>(std::floor(x)); }>};
            t["cvt.rpi" + types] = {lanewise<[](From x) { return static_cast<To>(std::ceil(x)); }>};
        }
    }
}
template <class To>
void add_conversions_to(instruction_table& t, std::string const& to) {
    add_conversion<To, std::uint8_t>(t, to, "u8"), add_conversion<To, std::int8_t>(t, to, "s8");
    add_conversion<To, std::uint16_t>(t, to, "u16"), add_conversion<To, std::int16_t>(t, to, "s16");
    add_conversion<To, std::uint32_t>(t, to, "u32"), add_conversion<To, std::int32_t>(t, to, "s32");
    add_conversion<To, std::uint64_t>(t, to, "u64"), add_conversion<To, std::int64_t>(t, to, "s64");
    add_conversion<To, float>(t, to, "f32"), add_conversion<To, double>(t, to, "f64");
}

}  // namespace

void add_conversions(instruction_table& t) {
    add_conversions_to<std::uint8_t>(t, "u8"), add_conversions_to<std::int8_t>(t, "s8");
    add_conversions_to<std::uint16_t>(t, "u16"), add_conversions_to<std::int16_t>(t, "s16");
    add_conversions_to<std::uint32_t>(t, "u32"), add_conversions_to<std::int32_t>(t, "s32");
    add_conversions_to<std::uint64_t>(t, "u64"), add_conversions_to<std::int64_t>(t, "s64");
    add_conversions_to<float>(t, "f32"), add_conversions_to<double>(t, "f64");
    t["cvt.sat.f32.f32"] = {lanewise<[](float x) { return std::fmin(std::fmax(x, 0.0f), 1.0f); }>};
    t["cvt.bf16.f32"] = {lanewise<bfloat16_of>};
    t["cvt.bf16x2.f32"] = {lanewise<[](float high, float low) { return static_cast<std::uint32_t>(bfloat16_of(high)) << 16 | bfloat16_of(low); }>};
    t["cvt.f32.bf16"] = {lanewise<of_bfloat16>};
    t["cvt.rna.tf32.f32"] = {lanewise<tf32_of>};
}

}  // namespace simulated
