#pragma once

/// \file
/// Every definition of an outlier, and how sets of them compare. docs/outliers.md is the tour.

#include <attnlab/analysis/outliers/attention_column.hpp>
#include <attnlab/analysis/outliers/find.hpp>
#include <attnlab/analysis/outliers/llm_int8.hpp>
#include <attnlab/analysis/outliers/massive.hpp>
#include <attnlab/analysis/outliers/mean_ratio.hpp>
#include <attnlab/analysis/outliers/overlap.hpp>
#include <attnlab/analysis/outliers/qk_massive.hpp>
#include <attnlab/analysis/outliers/robust.hpp>
#include <attnlab/analysis/outliers/sink.hpp>
#include <attnlab/analysis/outliers/super_weight.hpp>
#include <attnlab/analysis/outliers/tails.hpp>
#include <attnlab/analysis/outliers/weight_ratio.hpp>
