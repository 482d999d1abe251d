#pragma once

/// \file
/// CBLAS in the copy that xtensor-blas carries: plain C, and in a program that also has xtensor-blas the system's <cblas.h> would be a
/// redefinition.

#include <xflens/cxxblas/drivers/cblas.h>
