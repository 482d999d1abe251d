# Every header for C++ compiles alone, beside what is read once for all: the standard library and nlohmann's JSON, of which clang then spends two
# fifths less. Whether a header includes what it names of std, layout.std_names asks; JSON only io/json.hpp spells.
set(alone "")
foreach(header IN LISTS headers)
  cmake_path(RELATIVE_PATH header BASE_DIRECTORY "${PROJECT_SOURCE_DIR}/include")
  file(CONFIGURE OUTPUT "${CMAKE_CURRENT_BINARY_DIR}/alone/${header}.cpp" CONTENT "#include <${header}>\n" @ONLY)
  list(APPEND alone "${CMAKE_CURRENT_BINARY_DIR}/alone/${header}.cpp")
endforeach()
add_library(headers_alone OBJECT EXCLUDE_FROM_ALL ${alone})
target_link_libraries(headers_alone PRIVATE attnlab)
set_target_properties(headers_alone PROPERTIES UNITY_BUILD OFF)
target_precompile_headers(headers_alone PRIVATE <algorithm> <array> <charconv> <chrono> <cmath> <deque> <filesystem> <functional> <iostream> <map> <memory> <numeric>
  <optional> <set> <span> <sstream> <string> <thread> <tuple> <unordered_map> <unordered_set> <variant> <vector> <nlohmann/json.hpp>)
add_test(NAME layout.headers COMMAND "${CMAKE_COMMAND}" --build "${PROJECT_BINARY_DIR}" --parallel 2 --target headers_alone)
set_tests_properties(layout.headers PROPERTIES LABELS "layout;slow" TIMEOUT 1800)
